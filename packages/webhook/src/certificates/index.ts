// Where the certificate that the webhook serves with comes from.
export { certificatesFromFiles, type FileCertificateOptions } from './files.ts';
export type { CertificateSource, ServingCertificate } from './source.ts';
