// A CA and a serving certificate made for one test, and a source that hands them out: these tests are about reviews,
// those about certificates stand beside them.
import type * as X509 from '@peculiar/x509';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import type { CertificateSource, ServingCertificate } from '../../src/certificates/index.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface TestAuthority {
  /** PEM. */
  readonly ca: string;
  /** As a clientConfig carries it. */
  readonly caBundle: string;
  issue(): Promise<ServingCertificate>;
}

async function load(): Promise<typeof X509> {
  await import('reflect-metadata');
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto as unknown as Parameters<typeof library.cryptoProvider.set>[0]);
  return library;
}

const serial = (): string => randomBytes(15).toString('hex');
const validity = (): { notBefore: Date; notAfter: Date } => ({ notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) });

export async function makeAuthority(dnsNames: readonly string[]): Promise<TestAuthority> {
  const x509 = await load();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const extensions = [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)];
  const parts = { serialNumber: serial(), signingAlgorithm: ALGORITHM, ...validity() };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({ ...parts, name: 'CN=webhook-test', keys, extensions });
  const ca = authority.toString('pem');
  return {
    ca,
    caBundle: Buffer.from(ca).toString('base64'),
    issue: async () => {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const names = [...dnsNames.map((value) => ({ type: 'dns' as const, value })), { type: 'ip' as const, value: '127.0.0.1' }];
      const cert = await x509.X509CertificateGenerator.create({
        ...parts,
        serialNumber: serial(),
        subject: 'CN=webhook',
        issuer: authority.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [new x509.SubjectAlternativeNameExtension(names)],
      });
      const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey));
      const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }) as string;
      return { cert: cert.toString('pem'), key };
    },
  };
}

/** A source with one certificate, which `change` replaces. */
export function fixedSource(first: ServingCertificate): CertificateSource & { change(next: ServingCertificate): void } {
  let tell: (next: ServingCertificate) => void = () => {};
  return {
    start: () => Promise.resolve(first),
    run: (onChange, signal) =>
      new Promise((resolve) => {
        tell = onChange;
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    trouble: () => undefined,
    change: (next) => tell(next),
  };
}
