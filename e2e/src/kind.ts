// A kind cluster with our images and charts, for as long as a run lasts.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAME = 'snapshot-stack-e2e';

/** Two workers, so that the stories of node-local sidecars can be told. */
const CLUSTER = { kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', nodes: ['control-plane', 'worker', 'worker'].map((role) => ({ role })) };

interface KindOptions {
  keep: boolean;
  /** '' for the first in node-images.json; a path ending in .tar is an archive that is loaded first. */
  nodeImage: string;
}

/** What is missing on this machine, each with what helps. */
function missingTools(): string[] {
  const needs: [string, string[], string][] = [
    ['docker', ['info'], 'install Docker and start its engine (docker info must answer)'],
    ['kind', ['version'], 'install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation'],
    ['kubectl', ['version', '--client'], 'install kubectl'],
    ['helm', ['version'], 'install Helm 3'],
  ];
  return needs.filter(([tool, args]) => spawnSync(tool, args, { stdio: 'ignore' }).status !== 0).map(([tool, , help]) => `${tool}: ${help}`);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  console.log(`$ ${command} ${args.join(' ')}`);
  const child = spawn(command, [...args], { stdio: 'inherit', cwd: ROOT });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''} ended with exit code ${code}`);
}

async function nodeImageOf(options: KindOptions): Promise<string> {
  if (options.nodeImage !== '') return options.nodeImage;
  const { images } = JSON.parse(await readFile(new URL('node-images.json', import.meta.url), 'utf8')) as { images: string[] };
  return images[0] as string;
}

/**
 * Runs `use` with the kubeconfig of a fresh kind cluster in which our charts are installed.
 * @throws Error that lists every tool that is missing, before anything is made
 */
export async function withKind(options: KindOptions, use: (kubeconfig: string) => Promise<number>): Promise<number> {
  const missing = missingTools();
  if (missing.length > 0)
    throw new Error(
      `kind cannot be used here; missing are\n  ${missing.join('\n  ')}\nThe same suite runs without any of them: npm run e2e -- --cluster embedded`,
    );
  const dir = await mkdtemp(join(tmpdir(), 'e2e-kind-'));
  const kubeconfig = join(dir, 'kubeconfig');
  const image = await nodeImageOf(options);
  const config = join(dir, 'kind.json');
  await writeFile(config, JSON.stringify(CLUSTER));
  try {
    if (existsSync(image)) await run('docker', ['load', '--input', image]);
    await run('kind', ['create', 'cluster', '--name', NAME, '--image', image, '--config', config, '--kubeconfig', kubeconfig, '--wait', '120s']);
    await run('npm', ['run', 'images', '--', '--load', NAME]);
    for (const chart of ['snapshot-controller', 'csi-hostpath']) {
      await run('helm', [
        'upgrade',
        '--install',
        chart,
        join('charts', chart),
        '--namespace',
        'kube-system',
        '--kubeconfig',
        kubeconfig,
        '--values',
        join('charts', chart, 'examples', 'kind.yaml'),
        '--wait',
      ]);
    }
    return await use(kubeconfig);
  } finally {
    if (options.keep) console.log(`kept: export KUBECONFIG=${kubeconfig}; remove it with: kind delete cluster --name ${NAME}`);
    else {
      await run('kind', ['delete', 'cluster', '--name', NAME]).catch((error: Error) => console.error(error.message));
      await rm(dir, { recursive: true, force: true });
    }
  }
}
