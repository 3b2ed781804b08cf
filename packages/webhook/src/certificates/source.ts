// What the server needs to know of where its certificate comes from.

export interface ServingCertificate {
  /** PEM chain. */
  cert: string;
  /** PEM, never logged. */
  key: string;
}

export interface CertificateSource {
  /** Resolves when there is a certificate to serve with. */
  start(signal: AbortSignal): Promise<ServingCertificate>;
  /** Keeps it fresh until the signal aborts; `onChange` is given each new certificate. */
  run(onChange: (certificate: ServingCertificate) => void, signal: AbortSignal): Promise<void>;
  /** For /readyz: undefined when all is well, else why not. */
  trouble(): string | undefined;
}
