// The Secret that keeps certificates: kubernetes.io/tls, with the certificate in use where everybody looks for it, the
// CAs to trust in ca.crt, and the prepared successor, if there is one, beside them.
import type { X509Certificate } from 'node:crypto';
import type { Secret } from '@snapshot-stack/api-types';
import type { SecretSeen } from './decide.ts';
import { CertificateError, certificatesIn, inspectPair, readCertificate } from './pair.ts';
import type { Generation, SecretState } from './rotation.ts';

/** Marks the Secret as ours to write. */
export const SECRET_LABEL = 'snapshot.storage.kubernetes.io/webhook-certificates';
export const SECRET_LABEL_VALUE = 'self-made';

const decode = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString('utf8');
const encode = (text: string): string => Buffer.from(text).toString('base64');

/** @param dnsName that certificates must be for */
export function readSecret(secret: Secret | undefined, dnsName: string): SecretSeen {
  if (secret === undefined) return { kind: 'absent' };
  if (secret.metadata.labels?.[SECRET_LABEL] !== SECRET_LABEL_VALUE) return { kind: 'foreign' };
  try {
    return { kind: 'whole', state: stateOf(secret.data ?? {}, dnsName) };
  } catch (error) {
    if (error instanceof CertificateError) return { kind: 'damaged', why: error.message };
    throw error;
  }
}

function stateOf(data: Readonly<Record<string, string>>, dnsName: string): SecretState {
  const authorities = certificatesIn(decode(data['ca.crt'])).map((pem) => readCertificate(pem, 'ca.crt'));
  const generation = (name: string): Generation => generationOf(data, name, authorities, dnsName);
  const current = generation('tls');
  const hasNext = data['next.crt'] !== undefined || data['next.key'] !== undefined;
  return { current, next: hasNext ? generation('next') : undefined, cas: authorities.map(canonical) };
}

function generationOf(data: Readonly<Record<string, string>>, name: string, authorities: readonly X509Certificate[], dnsName: string): Generation {
  const names = { cert: `${name}.crt`, key: `${name}.key` };
  const [cert, key] = [decode(data[names.cert]), decode(data[names.key])];
  const { notAfterMs } = inspectPair({ cert, key }, names);
  const parsed = readCertificate(cert, names.cert);
  if (parsed.checkHost(dnsName) === undefined) throw new CertificateError(`${names.cert} is not for ${dnsName}`);
  const ca = authorities.find((one) => parsed.checkIssued(one) && parsed.verify(one.publicKey));
  if (ca === undefined) throw new CertificateError(`ca.crt lacks the CA of ${names.cert}`);
  return { ca: canonical(ca), cert, key, notAfterMs };
}

/** The same text for the same certificate, whoever wrote it. */
export function canonical(certificate: X509Certificate): string {
  return certificate.toString();
}

/** @param old the Secret that is replaced, in the version that was decided on */
export function writeSecret({ current, next, cas }: SecretState, name: string, namespace: string, old?: Secret): Secret {
  const data = {
    'tls.crt': encode(current.cert),
    'tls.key': encode(current.key),
    'ca.crt': encode(cas.join('')),
    ...(next === undefined ? {} : { 'next.crt': encode(next.cert), 'next.key': encode(next.key) }),
  };
  if (old === undefined) return { metadata: { name, namespace, labels: { [SECRET_LABEL]: SECRET_LABEL_VALUE } }, type: 'kubernetes.io/tls', data };
  const { stringData: _never, ...rest } = old;
  return { ...rest, data };
}
