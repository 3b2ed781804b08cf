// npm run bench -- runtime [--json]
//
// What the controller runtime costs, against the API server as a process of its own: requests per second and
// CPU per request of the client, how long an informer takes to know everything and to hear of a change, and
// how many keys a second the work queue passes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configMaps, type ConfigMap } from '@snapshot-stack/api-types';
import { startLocalStack, type LocalStackError } from '@snapshot-stack/local-stack';
import { Informer, KubeError, WorkQueue, createClient, defineFlags, systemClock, wrapClient, type Client } from '@snapshot-stack/runtime';

const flags = defineFlags({
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
  objects: { type: 'int', default: 2_000, help: 'How many objects an informer has to learn' },
  requests: { type: 'int', default: 4_000, help: 'How many requests of each kind the client makes' },
  parallel: { type: 'int', default: 8, help: 'Requests in flight' },
  keys: { type: 'int', default: 200_000, help: 'How many keys pass the queue' },
});

const CHANGES = 200;
const TIMEOUT_MS = 60_000;

interface Rate {
  perSecond: number;
  /** CPU of this process alone. */
  cpuMicroseconds: number;
}

export interface RuntimeReport {
  get: Rate;
  patch: Rate;
  /** From starting an informer to knowing all objects. */
  informer: { objects: number; streamingMs: number; pagesMs: number };
  /** From sending a PATCH to the handler of another client's informer. */
  changeMs: { p50: number; p99: number };
  queue: Rate;
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function rateOf(count: number, run: () => Promise<void>): Promise<Rate> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: Math.round((count * 1_000) / (performance.now() - start)), cpuMicroseconds: round((user + system) / count) };
}

/** Calls `run` for 0 to count-1, so many at a time. */
async function inParallel(count: number, parallel: number, run: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

const nameOf = (index: number): string => `object-${index}`;

async function benchClient(client: Client, count: number, parallel: number): Promise<Pick<RuntimeReport, 'get' | 'patch'>> {
  const ref = { namespace: 'default', name: nameOf(0) };
  const get = (): Promise<unknown> => client.get(configMaps, ref);
  await inParallel(parallel * 10, parallel, get); // connections and code warm
  return {
    get: await rateOf(count, () => inParallel(count, parallel, get)),
    patch: await rateOf(count, () =>
      inParallel(count, parallel, (i) =>
        client.patch(configMaps, { ...ref, name: nameOf(i % parallel) }, { kind: 'merge', body: { data: { at: String(i) } } }),
      ),
    ),
  };
}

/** Milliseconds until an informer on this client is in sync. */
async function timeToSync(client: Client): Promise<number> {
  const end = new AbortController();
  const informer = new Informer<ConfigMap>({ client, resource: configMaps, namespace: 'default' });
  const start = performance.now();
  const running = informer.run(end.signal);
  await informer.synced(AbortSignal.timeout(TIMEOUT_MS));
  const took = performance.now() - start;
  end.abort();
  await running;
  return Math.round(took);
}

/** The same client, for a server that knows no streaming lists. */
function withoutStreaming(client: Client): Client {
  const refuse = (): never => {
    throw new KubeError('Invalid', 'sendInitialEvents is forbidden for watch');
  };
  return { ...wrapClient(client, {}), watch: (resource, options) => (options.sendInitialEvents === true ? refuse() : client.watch(resource, options)) };
}

async function benchChanges(client: Client, watcher: Client): Promise<RuntimeReport['changeMs']> {
  const end = new AbortController();
  const informer = new Informer<ConfigMap>({ client: watcher, resource: configMaps, namespace: 'default' });
  const took: number[] = [];
  let heard = (): void => {};
  informer.on({ updated: () => heard() });
  const running = informer.run(end.signal);
  await informer.synced(AbortSignal.timeout(TIMEOUT_MS));
  for (let i = 0; i < CHANGES; i++) {
    const start = performance.now();
    const told = new Promise<void>((resolve) => (heard = resolve));
    await client.patch(configMaps, { namespace: 'default', name: nameOf(0) }, { kind: 'merge', body: { data: { change: String(i) } } });
    await told;
    took.push(performance.now() - start);
  }
  end.abort();
  await running;
  took.sort((a, b) => a - b);
  return { p50: round(took[CHANGES / 2] ?? 0), p99: round(took[Math.floor(CHANGES * 0.99)] ?? 0) };
}

async function benchQueue(count: number): Promise<Rate> {
  const queue = new WorkQueue({ name: 'bench', clock: systemClock });
  const end = new AbortController();
  return rateOf(count, async () => {
    for (let i = 0; i < count; i++) queue.add(nameOf(i));
    await inParallel(count, 4, async () => {
      const key = await queue.get(end.signal);
      queue.forget(key);
      queue.done(key);
    });
  });
}

function describe({ get, patch, informer, changeMs, queue }: RuntimeReport): string {
  return `client    GET ${get.perSecond}/s at ${get.cpuMicroseconds} us CPU each; PATCH ${patch.perSecond}/s at ${patch.cpuMicroseconds} us
informer  knows ${informer.objects} objects after ${informer.streamingMs} ms by a streaming list, ${informer.pagesMs} ms by pages
          hears of a change after p50 ${changeMs.p50} ms, p99 ${changeMs.p99} ms
queue     ${queue.perSecond} keys/s at ${queue.cpuMicroseconds} us CPU each
`;
}

/** Runs the bench and prints its report. @returns the exit code */
export async function benchRuntime(argv: readonly string[]): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('bench runtime'));
    return 0;
  }
  const dir = await mkdtemp(join(tmpdir(), 'bench-runtime-'));
  const failed = (error: LocalStackError): never => {
    throw error;
  };
  const stack = await startLocalStack({ dir, components: ['apiserver'] }, failed);
  const [client, watcher] = [1, 2].map((i) => createClient(stack.connection, { userAgent: `bench-${i}`, maxSockets: 32 })) as [Client, Client];
  try {
    await inParallel(options.objects, 16, (i) =>
      client.create(configMaps, { metadata: { name: nameOf(i), namespace: 'default' }, data: { text: 'x'.repeat(500) } }),
    );
    const streamingMs = await timeToSync(watcher);
    const report: RuntimeReport = {
      ...(await benchClient(client, options.requests, options.parallel)),
      informer: { objects: options.objects, streamingMs, pagesMs: await timeToSync(withoutStreaming(watcher)) },
      changeMs: await benchChanges(client, watcher),
      queue: await benchQueue(options.keys),
    };
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
    return 0;
  } finally {
    client.close();
    watcher.close();
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
