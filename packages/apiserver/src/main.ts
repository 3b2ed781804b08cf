// npm run apiserver: an API server in a folder, until SIGTERM.
import { parseArgs } from 'node:util';
import { startApiServer } from './server.ts';

const USAGE = 'usage: apiserver [--port N] --dir DIR [--crds PATH…] [--data-dir D] [--service NAMESPACE/NAME=URL…]';

/** `namespace/name=https://host:port`: where a webhook's Service is to be reached, since there is no service network. */
function readService(text: string): [string, string] {
  const match = /^([^/=]+\/[^/=]+)=(https:\/\/.+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw new Error(`--service ${text}: write namespace/name=https://host:port; ${USAGE}`);
  return [match[1], match[2]];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: 'string', default: '0' },
      dir: { type: 'string' },
      crds: { type: 'string', multiple: true, default: [] },
      'data-dir': { type: 'string' },
      service: { type: 'string', multiple: true, default: [] },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port} is no port; ${USAGE}`);
  if (values.dir === undefined) throw new Error(`--dir is missing: the folder for certificates and the kubeconfig; ${USAGE}`);
  // `--crds a b c` gives the first as the option's value and the others as positionals.
  const crds = [...values.crds, ...positionals];
  const dataDir = values['data-dir'];
  const services = new Map(values.service.map(readService));
  const resolveService = ({ namespace, name }: { namespace: string; name: string }): string | undefined => services.get(`${namespace}/${name}`);
  const api = await startApiServer({ port, dir: values.dir, crds, resolveService, ...(dataDir === undefined ? {} : { dataDir }) });
  console.log(`ready ${api.url}`);
  const stop = (): void => void api.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
