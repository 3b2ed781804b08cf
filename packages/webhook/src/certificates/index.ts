// Where the certificate that the webhook serves with comes from.
export type { CertificateSource, ServingCertificate } from './source.ts';
export { certificatesFromFiles, type FileCertificateOptions } from './from-files.ts';
