// npm run bench -- apiserver [--json]
//
// What the embedded API server can take, as a process of its own: writes and reads per second over one pool of
// keep-alive HTTPS connections, long lists, many watchers, start, memory. Beside it stands a bare node:https server
// that answers a fixed text: more than that no server on Node can do on this machine.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineFlags } from '@snapshot-stack/runtime/process';
import { HttpsLane, overLanes, type Target } from './https-lane.ts';
import { usageOf } from './process-usage.ts';

const flags = defineFlags({
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
  writes: { type: 'int', default: 10_000, help: 'Objects to create, and then to list' },
  reads: { type: 'int', default: 20_000, help: 'Objects to get' },
  objects: { type: 'int', default: 50_000, help: 'VolumeSnapshots for the figure of memory' },
  watchers: { type: 'int', default: 200, help: 'Watches that all see every event' },
  events: { type: 'int', default: 1_000, help: 'Events per second to watch' },
  seconds: { type: 'int', default: 5, help: 'How long to watch' },
  durable: { type: 'bool', default: false, help: 'Keep objects on disk (--data-dir)' },
});

const LANES = 16;
const BARE_ANSWER = 'BARE_ANSWER';
const PROGRAM = fileURLToPath(new URL('../../../packages/apiserver/src/main.ts', import.meta.url));
const CRDS = fileURLToPath(new URL('../../../packages/api-types/crds', import.meta.url));
const SNAPSHOTS = '/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

export interface ApiServerReport {
  /** From starting the process to its line `ready`. */
  startMs: number;
  /** Requests per second over 16 connections. */
  writesPerSecond: number;
  readsPerSecond: number;
  bareReadsPerSecond: number;
  list: { objects: number; bytes: number; ms: number };
  watch: {
    watchers: number;
    eventsPerSecond: number;
    delivered: number;
    expected: number;
    serverCpuSeconds: number;
    rssMiBBefore: number;
    rssMiBAfter: number;
  };
  rss: { objects: number; MiB: number };
}

interface Server {
  child: ChildProcess;
  target: Target;
  startMs: number;
}

async function startServer(dir: string, durable: boolean, signal: AbortSignal): Promise<Server> {
  const args = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', PROGRAM, '--port', '0', '--dir', dir, '--crds', CRDS];
  if (durable) args.push('--data-dir', join(dir, 'data'));
  const start = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], signal });
  let text = '';
  while (!text.includes('\n')) text += String((await once(child.stdout, 'data'))[0]);
  const startMs = performance.now() - start;
  const port = Number(/:(\d+)\s*$/.exec(text.trim())?.[1]);
  const [ca, cert, key] = await Promise.all(['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(join(dir, name), 'utf8')));
  return { child, startMs, target: { port, ca: ca ?? '', cert: cert ?? '', key: key ?? '' } };
}

const openLanes = (target: Target, count: number): Promise<HttpsLane[]> => Promise.all(Array.from({ length: count }, () => new HttpsLane(target).open()));

const snapshot = (index: number): string =>
  JSON.stringify({
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name: `snapshot-${index}`, labels: { app: 'bench' } },
    spec: { volumeSnapshotClassName: 'fast', source: { persistentVolumeClaimName: `claim-${index}` } },
  });

async function perSecond(count: number, run: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return Math.round((count * 1_000) / (performance.now() - start));
}

async function benchRequests(
  lanes: readonly HttpsLane[],
  writes: number,
  reads: number,
): Promise<Pick<ApiServerReport, 'writesPerSecond' | 'readsPerSecond' | 'list'>> {
  const post = (first: number) => (lane: HttpsLane, index: number) => lane.send('POST', SNAPSHOTS, snapshot(first + index));
  await overLanes(lanes, 500, post(1_000_000)); // code warm
  const writesPerSecond = await perSecond(writes, () => overLanes(lanes, writes, post(0)));
  const readsPerSecond = await perSecond(reads, () => overLanes(lanes, reads, (lane, index) => lane.send('GET', `${SNAPSHOTS}/snapshot-${index % writes}`)));
  const [lane] = lanes;
  if (lane === undefined) throw new Error('there is no connection to list over');
  const start = performance.now();
  const listed = await lane.send('GET', SNAPSHOTS);
  const ms = Math.round(performance.now() - start);
  const objects = (JSON.parse(listed.toString()) as { items: unknown[] }).items.length;
  return { writesPerSecond, readsPerSecond, list: { objects, bytes: listed.length, ms } };
}

interface WatchLoad {
  watchers: number;
  events: number;
  seconds: number;
}

async function benchWatch({ child, target }: Server, lanes: readonly HttpsLane[], { watchers, events, seconds }: WatchLoad): Promise<ApiServerReport['watch']> {
  const marker = Buffer.from('{"type":"');
  let delivered = 0;
  const streams = await openLanes(target, watchers);
  for (const stream of streams) {
    // Counts beginnings of events; one that two chunks share is not seen, so chunk ends are kept.
    let rest = Buffer.alloc(0);
    stream.stream(`${CONFIG_MAPS}?watch=1`, (chunk) => {
      const text = Buffer.concat([rest, chunk]);
      for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + 1)) delivered++;
      rest = Buffer.from(text.subarray(Math.max(0, text.length - marker.length + 1)));
    });
  }
  const [writer] = lanes;
  await writer?.send('POST', CONFIG_MAPS, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'watched' } }));
  const before = await usageOf(child.pid ?? 0);
  const start = performance.now();
  const total = events * seconds;
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - start) * events) / 1_000));
    if (due > sent) {
      const first = sent;
      await overLanes(lanes, due - sent, (lane, index) =>
        lane.send('PATCH', `${CONFIG_MAPS}/watched`, `{"data":{"at":"${first + index}"}}`, 'application/merge-patch+json'),
      );
      sent = due;
    } else await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const elapsedSeconds = (performance.now() - start) / 1_000;
  const expected = (total + 1) * watchers;
  const patience = performance.now() + 10_000;
  while (delivered < expected && performance.now() < patience) await new Promise((resolve) => setTimeout(resolve, 20));
  const after = await usageOf(child.pid ?? 0);
  for (const stream of streams) stream.close();
  return {
    watchers,
    eventsPerSecond: Math.round(total / elapsedSeconds),
    delivered,
    expected,
    serverCpuSeconds: Math.round(((after?.cpuSeconds ?? 0) - (before?.cpuSeconds ?? 0)) * 100) / 100,
    rssMiBBefore: before?.rssMiB ?? 0,
    rssMiBAfter: after?.rssMiB ?? 0,
  };
}

/** A server that does nothing but answer, in a process of its own: this file again. */
async function benchBare(dir: string, reads: number, signal: AbortSignal): Promise<number> {
  const env = { ...process.env, [BARE_ANSWER]: dir };
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url)], { env, stdio: ['ignore', 'pipe', 'inherit'], signal });
  const port = Number(String((await once(child.stdout, 'data'))[0]).trim());
  const lanes = await openLanes({ port, ca: await readFile(join(dir, 'ca.crt'), 'utf8') }, LANES);
  await overLanes(lanes, 2_000, (lane) => lane.send('GET', '/'));
  const rate = await perSecond(reads, () => overLanes(lanes, reads, (lane) => lane.send('GET', '/')));
  for (const lane of lanes) lane.close();
  child.kill();
  return rate;
}

async function serveBare(dir: string): Promise<void> {
  const [cert, key] = await Promise.all([readFile(join(dir, 'apiserver.crt'), 'utf8'), readFile(join(dir, 'apiserver.key'), 'utf8')]);
  const text = snapshot(1).padEnd(800);
  const server = createServer({ cert, key }, (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': text.length });
    response.end(text);
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
}

function print(report: ApiServerReport): void {
  const { list, watch, rss } = report;
  const lines = [
    `start to ready           ${report.startMs} ms`,
    `writes                   ${report.writesPerSecond} /s`,
    `reads                    ${report.readsPerSecond} /s   (bare node:https: ${report.bareReadsPerSecond} /s)`,
    `list of ${list.objects} snapshots  ${list.ms} ms, ${(list.bytes / 2 ** 20).toFixed(1)} MiB`,
    `${watch.watchers} watchers             ${watch.eventsPerSecond} events/s, ${watch.delivered} of ${watch.expected} delivered, RSS ${watch.rssMiBBefore} -> ${watch.rssMiBAfter} MiB`,
    `RSS                      ${rss.MiB} MiB with ${rss.objects} snapshots`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

export async function benchApiServer(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('npm run bench -- apiserver'));
    return 0;
  }
  const dir = await mkdtemp(join(tmpdir(), 'bench-apiserver-'));
  const server = await startServer(dir, options.durable, signal);
  try {
    const lanes = await openLanes(server.target, LANES);
    const requests = await benchRequests(lanes, options.writes, options.reads);
    const watch = await benchWatch(server, lanes, options);
    const more = Math.max(0, options.objects - options.writes);
    await overLanes(lanes, more, (lane, index) => lane.send('POST', SNAPSHOTS, snapshot(options.writes + index)));
    const usage = await usageOf(server.child.pid ?? 0);
    for (const lane of lanes) lane.close();
    const bareReadsPerSecond = await benchBare(dir, options.reads, signal);
    const report = { startMs: Math.round(server.startMs), ...requests, bareReadsPerSecond, watch, rss: { objects: options.objects, MiB: usage?.rssMiB ?? 0 } };
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else print(report);
    return 0;
  } finally {
    server.child.kill();
    await once(server.child, 'exit');
    await rm(dir, { recursive: true, force: true });
  }
}

if (process.env[BARE_ANSWER] !== undefined) await serveBare(process.env[BARE_ANSWER]);
