// Makes a CA and a serving certificate signed by it. The CA's key is forgotten at once: each renewal makes a new CA, so
// that nobody who reads the Secret, now or later, can sign anything. The library costs some 20 MiB and is loaded only here.
import type * as X509 from '@peculiar/x509';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';

/** A serving certificate with the CA that API servers verify it by. PEM. */
export interface Issued {
  readonly ca: string;
  readonly cert: string;
  /** PKCS #8; never logged. */
  readonly key: string;
}

export interface IssueOptions {
  readonly dnsNames: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type Issue = (options: IssueOptions) => Promise<Issued>;

/** What the common names of our CAs begin with; the rest makes each unique, as verifiers look issuers up by name. */
export const CA_NAME = 'snapshot-webhook-ca-';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function load(): Promise<typeof X509> {
  await import('reflect-metadata'); // the library's own dependency injection needs it first
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto as unknown as Parameters<typeof library.cryptoProvider.set>[0]);
  return library;
}

const serial = (): string => `01${randomBytes(15).toString('hex')}`;

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }) as string;
}

/** ECDSA over P-256. Source: https://pkg.go.dev/crypto/x509 for what API servers verify. */
export async function issue({ dnsNames, notBeforeMs, notAfterMs }: IssueOptions): Promise<Issued> {
  const x509 = await load();
  const common = { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs), signingAlgorithm: ALGORITHM };
  const [caKeys, keys] = await Promise.all([
    webcrypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']),
    webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']),
  ]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...common,
    serialNumber: serial(),
    name: `CN=${CA_NAME}${randomBytes(8).toString('hex')}`,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const cert = await x509.X509CertificateGenerator.create({
    ...common,
    serialNumber: serial(),
    subject: [{ CN: ['snapshot-webhook'] }],
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(ca),
      new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns' as const, value }))),
    ],
  });
  return { ca: ca.toString('pem'), cert: cert.toString('pem'), key: await pemOf(keys.privateKey) };
}
