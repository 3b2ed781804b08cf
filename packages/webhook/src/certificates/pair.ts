// What a PEM certificate and its key say of themselves, told without ever showing the key.
import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import type { ServingCertificate } from './source.ts';

/** Why a certificate cannot be served with. The message is fit for logs: it holds nothing of the key. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

export interface PairFacts {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hexadecimal, of the first certificate. */
  readonly serial: string;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, each as a PEM block; other blocks and text between them are left out. */
export function certificatesIn(pem: string): string[] {
  return pem.match(BLOCK) ?? [];
}

/** @throws CertificateError for what is no certificate */
export function readCertificate(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new CertificateError(`${what} holds no certificate in PEM that can be read`);
  }
}

function readKey(pem: string, what: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause may quote what it could not read.
    throw new CertificateError(`${what} holds no private key in PEM that can be read (it must not be encrypted)`);
  }
}

/**
 * Checks that a TLS server can serve with the pair. Being expired is no error: that is a fact.
 * @param names what to call certificate and key in messages
 * @throws CertificateError for what cannot be read, and for a key that belongs to another certificate
 */
export function inspectPair({ cert, key }: ServingCertificate, names: { cert: string; key: string }): PairFacts {
  const [first] = certificatesIn(cert);
  // A text that is cut off in the middle of its chain has a beginning without an end.
  const begun = cert.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (first === undefined || begun !== certificatesIn(cert).length) throw new CertificateError(`${names.cert} holds no whole certificate in PEM`);
  const parsed = readCertificate(first, names.cert);
  if (!parsed.checkPrivateKey(readKey(key, names.key))) throw new CertificateError(`${names.key} does not belong to ${names.cert}`);
  return factsOf(parsed);
}

export function factsOf(certificate: X509Certificate): PairFacts {
  return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime(), serial: certificate.serialNumber };
}

/** Why the certificate is refused by whoever checks it now; undefined when it is not. */
export function staleness({ notBeforeMs, notAfterMs }: PairFacts, nowMs: number): string | undefined {
  if (nowMs >= notAfterMs) return `it expired at ${new Date(notAfterMs).toISOString()}`;
  return nowMs < notBeforeMs ? `it is not valid before ${new Date(notBeforeMs).toISOString()}` : undefined;
}
