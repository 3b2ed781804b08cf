// Where the certificate that the webhook serves with comes from.
export type { CertificateSource, ServingCertificate } from './source.ts';
export { certificateAccess } from './access.ts';
export { certificatesFromFiles, type FileCertificateOptions } from './from-files.ts';
export { selfMadeCertificates, type SelfMadeOptions } from './self-made.ts';
