// Where the certificate that the webhook serves with comes from: what every source is to the server.

export interface ServingCertificate {
  /** PEM chain, the serving certificate first. */
  cert: string;
  /** PEM, never logged. */
  key: string;
}

export interface CertificateSource {
  /** Resolves when there is a certificate to serve with; rejects when the signal aborts before. */
  start(signal: AbortSignal): Promise<ServingCertificate>;
  /** Keeps it fresh until the signal aborts; `onChange` is given each new certificate. */
  run(onChange: (certificate: ServingCertificate) => void, signal: AbortSignal): Promise<void>;
  /** For /readyz: undefined when all is well, else why not. */
  trouble(): string | undefined;
}
