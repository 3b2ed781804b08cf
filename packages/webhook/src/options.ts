// Flags and environment of the webhook, read once. Where upstream's webhooks had a flag, it keeps its name.
import { FlagError, defineFlags, httpFlags, kubeFlags, loggingFlags, readFlags } from '@snapshot-stack/runtime';

export const flags = defineFlags({
  ...loggingFlags,
  ...httpFlags,
  ...kubeFlags,
  port: { type: 'int', default: 443, help: 'Port of the HTTPS server' },
  'tls-cert-file': { type: 'string', default: '', help: 'Certificate (PEM, with its chain) to serve with; read again when it changes' },
  'tls-private-key-file': { type: 'string', default: '', help: 'Private key (PEM) of --tls-cert-file' },
  certificates: {
    type: 'string',
    default: '',
    help: 'Where the certificate comes from: self-made, files, or cert-manager (files, whose caBundle cert-manager writes); files when --tls-cert-file is given, else self-made',
  },
  'certificate-secret': { type: 'string', default: 'snapshot-webhook-certificates', help: 'Secret that keeps self-made certificates' },
  'service-name': { type: 'string', default: 'snapshot-validation-service', help: 'Service in front of the webhook, which self-made certificates are for' },
  namespace: { type: 'string', default: '', env: 'POD_NAMESPACE', help: "Namespace of Secret and Service; the pod's own when empty" },
  'validating-webhook-configuration': {
    type: 'strings',
    default: ['validation-webhook.snapshot.storage.k8s.io', 'validation-webhook.groupsnapshot.storage.k8s.io'],
    help: 'ValidatingWebhookConfigurations whose caBundle is kept right, with self-made certificates',
  },
  'converted-crd': {
    type: 'strings',
    default: ['volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io'],
    help: 'CustomResourceDefinitions whose conversion caBundle is kept right, with self-made certificates',
  },
  'prevent-volume-mode-conversion': { type: 'bool', default: true, help: 'Guard the annotation allow-volume-mode-change of contents' },
  'enable-volume-group-snapshot-webhook': {
    type: 'bool',
    default: true,
    help: 'Accepted for compatibility; group kinds are judged whenever the API server asks',
  },
  'max-body-bytes': { type: 'int', default: 8 * 2 ** 20, help: 'Largest review; lists to convert may be 8 times as large' },
  'max-connections': { type: 'int', default: 2_000, help: 'Connections at a time; the API server opens one for each review that it asks for at the same time' },
  drain: { type: 'duration', default: 5_000, help: 'How long to go on serving after SIGTERM, not ready, until everybody has learnt of it' },
});

export type CertificateMode = 'self-made' | 'files' | 'cert-manager';

export interface Options {
  readonly kubeconfig: string;
  readonly qps: number;
  readonly burst: number;
  readonly verbosity: number;
  readonly logFormat: 'text' | 'json';
  /** Empty for no plain HTTP server. */
  readonly httpEndpoint: string;
  readonly metricsPath: string;
  readonly port: number;
  readonly certificates: CertificateMode;
  readonly certFile: string;
  readonly keyFile: string;
  readonly certificateSecret: string;
  readonly serviceName: string;
  /** Empty for the pod's own. */
  readonly namespace: string;
  readonly webhookConfigurations: readonly string[];
  readonly convertedCrds: readonly string[];
  readonly preventVolumeModeConversion: boolean;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly drainMs: number;
}

/** @throws FlagError for a command line that cannot be worked with */
export function readOptions(program: string, version: string): Options {
  return optionsFrom(readFlags(flags, program, version));
}

/** As {@link readOptions}, from given arguments. */
export function parseOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Options {
  return optionsFrom(flags.parse(argv, env));
}

function optionsFrom(parsed: ReturnType<typeof flags.parse>): Options {
  const certFile = parsed['tls-cert-file'];
  const keyFile = parsed['tls-private-key-file'];
  const certificates = modeFrom(parsed.certificates, certFile, keyFile);
  if (parsed.port < 0 || parsed.port > 65_535) throw new FlagError('--port must be 0 to 65535');
  if (parsed['max-body-bytes'] < 2 ** 16) throw new FlagError('--max-body-bytes must be at least 65536');
  if (parsed['max-connections'] < 1) throw new FlagError('--max-connections must be at least 1');
  if (parsed.drain < 0) throw new FlagError('--drain must not be below 0');
  return Object.freeze({
    kubeconfig: parsed.kubeconfig,
    qps: parsed['kube-api-qps'],
    burst: parsed['kube-api-burst'],
    verbosity: parsed.v,
    logFormat: parsed['logging-format'] === 'json' ? 'json' : 'text',
    httpEndpoint: parsed['http-endpoint'],
    metricsPath: parsed['metrics-path'],
    port: parsed.port,
    certificates,
    certFile,
    keyFile,
    certificateSecret: parsed['certificate-secret'],
    serviceName: parsed['service-name'],
    namespace: parsed.namespace,
    webhookConfigurations: parsed['validating-webhook-configuration'],
    convertedCrds: parsed['converted-crd'].filter((name) => name !== ''),
    preventVolumeModeConversion: parsed['prevent-volume-mode-conversion'],
    maxBodyBytes: parsed['max-body-bytes'],
    maxConnections: parsed['max-connections'],
    drainMs: parsed.drain,
  });
}

function modeFrom(given: string, certFile: string, keyFile: string): CertificateMode {
  if ((certFile === '') !== (keyFile === '')) throw new FlagError('--tls-cert-file and --tls-private-key-file belong together; give both or neither');
  const mode = given === '' ? (certFile === '' ? 'self-made' : 'files') : given;
  if (mode !== 'self-made' && mode !== 'files' && mode !== 'cert-manager')
    throw new FlagError(`--certificates: "${given}" is not known; write self-made, files or cert-manager`);
  if (mode !== 'self-made' && certFile === '') throw new FlagError(`--certificates=${mode} needs --tls-cert-file and --tls-private-key-file`);
  if (mode === 'self-made' && certFile !== '') throw new FlagError('--certificates=self-made excludes --tls-cert-file; leave one of them out');
  return mode;
}
