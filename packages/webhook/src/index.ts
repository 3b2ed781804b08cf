// What other packages (their tests, and the tools) may use of the webhook.
export { accessNeeded } from './access.ts';
export {
  certificateAccess,
  certificatesFromFiles,
  selfMadeCertificates,
  type CertificateSource,
  type FileCertificateOptions,
  type SelfMadeOptions,
  type ServingCertificate,
} from './certificates/index.ts';
export { flags } from './options.ts';
export { VOLUME_MODE_VERB } from './rules/volume-mode-change.ts';
export { createWebhook, type Webhook, type WebhookOptions } from './wire.ts';
