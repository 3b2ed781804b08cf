// A certificate and its key from two files, read again when they change: given by hand, or mounted by cert-manager.
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { every, type Clock, type Log } from '@snapshot-stack/runtime';
import type { CertificateSource, ServingCertificate } from './source.ts';

export interface FileCertificateOptions {
  /** PEM, the serving certificate first, then its chain. */
  certFile: string;
  /** PEM. */
  keyFile: string;
  clock: Clock;
  log: Log;
  /** Pause between two looks at the files; 5 s by default. */
  lookEveryMs?: number;
}

const LOOK_EVERY_MS = 5_000;

/** The pair that the files hold. @throws Error naming the file, and what is wrong with it */
async function readPair({ certFile, keyFile }: FileCertificateOptions): Promise<ServingCertificate> {
  const [cert, key] = await Promise.all([certFile, keyFile].map((path) => readFile(path, 'utf8')));
  const of = (path: string): string => `the file ${path}`;
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(cert ?? '');
  } catch (error) {
    throw new Error(`${of(certFile)} holds no certificate in PEM`, { cause: error });
  }
  let fits: boolean;
  try {
    fits = parsed.checkPrivateKey(createPrivateKey(key ?? ''));
  } catch {
    // The cause is left out: it could quote what the file holds.
    throw new Error(`${of(keyFile)} holds no private key in PEM`);
  }
  if (!fits) throw new Error(`the key in ${keyFile} does not belong to the certificate in ${certFile}`);
  return { cert: cert ?? '', key: key ?? '' };
}

/**
 * Serves what the files hold. `start` fails when they hold no pair; later a pair that cannot be used, such as one that
 * is half written, is left aside with a warning, and the one before is served on.
 */
export function certificatesFromFiles(options: FileCertificateOptions): CertificateSource {
  const { clock, log } = options;
  let current: ServingCertificate | undefined;
  let complaint = '';
  const look = async (onChange: (certificate: ServingCertificate) => void): Promise<void> => {
    try {
      const found = await readPair(options);
      complaint = '';
      if (found.cert === current?.cert && found.key === current.key) return;
      current = found;
      onChange(found);
      log.info('the serving certificate has changed', { validTo: new X509Certificate(found.cert).validTo });
    } catch (error) {
      const { message } = error as Error;
      if (message !== complaint) log.warn('the serving certificate cannot be renewed; the one before is served on', { error });
      complaint = message;
    }
  };
  return {
    start: async () => {
      current = await readPair(options);
      return current;
    },
    run: async (onChange, signal) => {
      let looking = Promise.resolve();
      await every(options.lookEveryMs ?? LOOK_EVERY_MS, clock, signal, () => {
        looking = looking.then(() => look(onChange));
      });
      await looking;
    },
    trouble: () => {
      if (current === undefined) return `no certificate has been read from ${options.certFile}`;
      const end = new X509Certificate(current.cert).validToDate.getTime();
      return end > clock.now() ? undefined : `the certificate in ${options.certFile} expired at ${new Date(end).toISOString()}; renew it`;
    },
  };
}
