// npm run bench -- webhook [--rate 500] [--seconds 20] [--source] [--json]
//
// What the webhook can take, as the process that the image ships (bundled) with certificates of its own making, beside an
// API server process that it watches: a steady rate of reviews over keep-alive TLS, a thousand reviews at once, and
// reviews of 3 MiB; and its memory meanwhile. Reviews are sent at the times of a random (Poisson) arrival, whether or not
// earlier ones were answered, and their time counts from then on: a slow server cannot slow its clients down here.
// `late` says how late the bench itself was in sending; it is part of the times, and not the webhook's doing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { csiDrivers, secrets, volumeSnapshotClasses } from '@snapshot-stack/api-types';
import { WEBHOOK_SERVICE, paths, startLocalStack, tailOf, type LocalStack } from '@snapshot-stack/local-stack';
import { createClient, loadConnection, seededRandom, systemClock } from '@snapshot-stack/runtime';
import { defineFlags } from '@snapshot-stack/runtime/process';
import { bundleComponent } from '../images/bundle.ts';
import { NODE_FLAGS } from '../images/code-cache.ts';
import { COMPONENTS } from '../images/components.ts';
import { HttpsLane, type Target } from './https-lane.ts';
import { usageOf } from './process-usage.ts';
import { bigReview, nextReview, type Review } from './webhook-reviews.ts';

const flags = defineFlags({
  rate: { type: 'int', default: 500, help: 'Reviews per second' },
  seconds: { type: 'int', default: 20, help: 'How long to send them' },
  lanes: { type: 'int', default: 32, help: 'Connections that carry them' },
  concurrent: { type: 'int', default: 1_000, help: 'Connections that send one review each at the same moment' },
  big: { type: 'int', default: 40, help: 'Reviews of 3 MiB' },
  idle: { type: 'duration', default: 8_000, help: 'How long to leave the process alone before its memory is read' },
  seed: { type: 'int', default: 1, help: 'Of the arrival times and of the mixture' },
  'node-flag': { type: 'strings', default: [], help: 'Flags of node beside those of the image, to see what they do' },
  source: { type: 'bool', default: false, help: 'Run the TypeScript sources instead of a bundle' },
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
});

const READY_MS = 30_000;
const ANSWER_MS = 10_000;
const BIG_LANES = 4;
const SAMPLE_MS = 200;
const CONNECT_AT_ONCE = 50;
const WARM_UP_SECONDS = 3;

/** Milliseconds. */
export interface Times {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export interface Load {
  reviews: number;
  errors: number;
  times: Times;
  /** The highest that was seen meanwhile. */
  rssMiB: number;
  cpuSeconds: number;
  /** The first error's words. */
  error?: string;
}

export interface WebhookReport {
  idleRssMiB: number;
  steady: Load & { perSecond: number; late: Times };
  concurrent: Load;
  big: Load;
}

function timesOf(values: readonly number[]): Times {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0) * 100) / 100;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** @throws Error saying what took longer than a review may take */
async function bounded<T>(what: string, task: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = systemClock.setTimer(ANSWER_MS, () => late.reject(new Error(`${what} took longer than ${ANSWER_MS / 1_000} s`)));
  try {
    return await Promise.race([task, late.promise]);
  } finally {
    timer.cancel();
  }
}

/** Collects what is common to all loads. */
class Tally {
  readonly times: number[] = [];
  errors = 0;
  error: string | undefined;

  /** @param sinceMs when the review was due, by performance.now() */
  async ask(lane: HttpsLane, { body, isAllowed }: Review, sinceMs: number): Promise<void> {
    try {
      const answer = await bounded('a review', lane.send('POST', '/validate?timeout=10s', body));
      // Fast and wrong is no figure.
      if (!answer.includes(`"allowed":${isAllowed}`)) throw new Error(`a wrong verdict: ${answer.toString('utf8', 0, 500)}`);
      this.times.push(performance.now() - sinceMs);
    } catch (error) {
      this.errors++;
      this.error ??= (error as Error).message;
    }
  }
}

/** Runs a load and reads the process's memory all the while. */
async function measured(pid: number, tally: Tally, run: () => Promise<void>): Promise<Load> {
  const before = await usageOf(pid);
  const end = new AbortController();
  let rssMiB = 0;
  const sample = async (): Promise<void> => void (rssMiB = Math.max(rssMiB, (await usageOf(pid))?.rssMiB ?? 0));
  const sampling = (async () => {
    while (!end.signal.aborted) {
      await sample();
      await systemClock.sleep(SAMPLE_MS, end.signal).catch(() => {});
    }
  })();
  await run();
  await sample();
  end.abort();
  await sampling;
  const cpuSeconds = Math.round(((await usageOf(pid))?.cpuSeconds ?? 0) * 100 - (before?.cpuSeconds ?? 0) * 100) / 100;
  const { times, errors, error } = tally;
  return { reviews: times.length + errors, errors, times: timesOf(times), rssMiB, cpuSeconds, ...(error === undefined ? {} : { error }) };
}

/** With one request done: the server gives a connection that never asked anything only 5 s. */
async function openLane(target: Target): Promise<HttpsLane> {
  const lane = new HttpsLane(target);
  await bounded('a connection', lane.open());
  await bounded('the first request', lane.send('GET', '/healthz'));
  return lane;
}

async function openLanes(target: Target, count: number): Promise<HttpsLane[]> {
  const lanes: HttpsLane[] = [];
  while (lanes.length < count) {
    const more = Math.min(CONNECT_AT_ONCE, count - lanes.length);
    lanes.push(...(await Promise.all(Array.from({ length: more }, () => openLane(target)))));
  }
  return lanes;
}

interface Rate {
  perSecond: number;
  seconds: number;
  seed: number;
}

/** Sends each review at its time over whichever lane is free; those that find none wait in line, and their time runs. */
async function steadily(lanes: readonly HttpsLane[], { perSecond, seconds, seed }: Rate, tally: Tally, late: number[], signal: AbortSignal): Promise<void> {
  const random = seededRandom(seed);
  const free = [...lanes];
  const waiting: ((lane: HttpsLane) => void)[] = [];
  const asked: Promise<void>[] = [];
  const send = async (dueMs: number, review: Review): Promise<void> => {
    // In turns, so that none is idle for so long that the server closes it.
    const lane = free.shift() ?? (await new Promise<HttpsLane>((resolve) => void waiting.push(resolve)));
    await tally.ask(lane, review, dueMs);
    const next = waiting.shift();
    if (next === undefined) free.push(lane);
    else next(lane);
  };
  const start = performance.now();
  let dueMs = start;
  for (let i = 0; dueMs - start < seconds * 1_000; i++) {
    const review = nextReview(random, i);
    dueMs += (-Math.log(1 - random()) * 1_000) / perSecond;
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 0.5) await systemClock.sleep(aheadMs, signal);
    late.push(Math.max(0, performance.now() - dueMs));
    asked.push(send(dueMs, review));
  }
  await Promise.all(asked);
}

async function measure(target: Target, pid: number, options: ReturnType<typeof flags.parse>, signal: AbortSignal): Promise<WebhookReport> {
  const { rate: perSecond, seconds, seed } = options;
  await systemClock.sleep(options.idle, signal);
  const idleRssMiB = (await usageOf(pid))?.rssMiB ?? 0;

  const lanes = await openLanes(target, options.lanes);
  await steadily(lanes, { perSecond, seconds: WARM_UP_SECONDS, seed }, new Tally(), [], signal);
  const tally = new Tally();
  const late: number[] = [];
  const steady = await measured(pid, tally, () => steadily(lanes, { perSecond, seconds, seed }, tally, late, signal));
  for (const lane of lanes) lane.close();

  const many = new Tally();
  const concurrent = await measured(pid, many, async () => {
    const all = await openLanes(target, options.concurrent);
    const random = seededRandom(seed);
    const reviews = all.map((_, i) => nextReview(random, i));
    const now = performance.now();
    await Promise.all(all.map((lane, i) => many.ask(lane, reviews[i] ?? nextReview(random, i), now)));
    for (const lane of all) lane.close();
  });

  const large = new Tally();
  const big = await measured(pid, large, async () => {
    const review = bigReview(3 * 2 ** 20);
    const few = await openLanes(target, BIG_LANES);
    let left = options.big;
    await Promise.all(
      few.map(async (lane) => {
        while (left-- > 0) await large.ask(lane, review, performance.now());
        lane.close();
      }),
    );
  });
  return { idleRssMiB, steady: { ...steady, perSecond, late: timesOf(late) }, concurrent, big };
}

/** The program of the image, in a folder. */
async function bundled(dir: string, nodeFlags: readonly string[]): Promise<[string, ...string[]]> {
  const component = COMPONENTS.find((one) => one.package === 'webhook');
  if (component === undefined) throw new Error('the images have no webhook');
  const { files } = await bundleComponent(component);
  for (const [name, bytes] of files) await writeFile(join(dir, name), bytes);
  return [process.execPath, ...NODE_FLAGS, ...nodeFlags, join(dir, 'main.js')];
}

/** Registers what reviews are about, and waits for the certificate. */
async function prepare(stack: LocalStack): Promise<Target> {
  const client = createClient(await loadConnection({ kubeconfig: stack.kubeconfig }), { userAgent: 'bench/1' });
  try {
    await client.create(csiDrivers, { metadata: { name: 'hostpath.csi.k8s.io' }, spec: {} });
    await client.create(volumeSnapshotClasses, { metadata: { name: 'fast' }, driver: 'hostpath.csi.k8s.io', deletionPolicy: 'Delete' });
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline) {
      const secret = await client.find(secrets, { namespace: WEBHOOK_SERVICE.namespace, name: 'snapshot-webhook-certificates' });
      const ca = Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString('utf8');
      const target = { port: stack.layout.webhookPort, ca, servername: `${WEBHOOK_SERVICE.name}.${WEBHOOK_SERVICE.namespace}.svc` };
      if (ca !== '' && (await isReady(target))) return target;
      await systemClock.sleep(100);
    }
    throw new Error(`the webhook was not ready within ${READY_MS / 1_000} s; its last words:\n${tailOf(paths.log(stack.layout, 'webhook'))}`);
  } finally {
    client.close();
  }
}

async function isReady(target: Target): Promise<boolean> {
  const lane = new HttpsLane(target);
  try {
    await bounded(
      'the question whether it is ready',
      lane.open().then(() => lane.send('GET', '/readyz')),
    );
    return true;
  } catch {
    return false;
  } finally {
    lane.close();
  }
}

function describe({ idleRssMiB, steady, concurrent, big }: WebhookReport): string {
  const line = (what: string, { p50, p90, p99, p999, max }: Times): string =>
    `  ${what.padEnd(28)}${[p50, p90, p99, p999, max].map((ms) => ms.toFixed(2).padStart(9)).join('')}`;
  const about = ({ reviews, errors, rssMiB, cpuSeconds, error }: Load): string =>
    `  ${''.padEnd(28)}${reviews} reviews, ${errors} errors, RSS at most ${rssMiB} MiB, ${cpuSeconds} s CPU${error === undefined ? '' : `\n  first error: ${error}`}`;
  const lines = [
    `idle: ${idleRssMiB} MiB`,
    `  ${'milliseconds'.padEnd(28)}${['p50', 'p90', 'p99', 'p99.9', 'max'].map((head) => head.padStart(9)).join('')}`,
    line(`${steady.perSecond} a second`, steady.times),
    line('  of that, late in sending', steady.late),
    about(steady),
    line(`${concurrent.reviews} at once`, concurrent.times),
    about(concurrent),
    line(`3 MiB, ${BIG_LANES} at a time`, big.times),
    about(big),
  ];
  return `${lines.join('\n')}\n`;
}

/** Runs the bench and prints its report. @returns the exit code; 1 when reviews failed */
export async function benchWebhook(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('npm run bench -- webhook'));
    return 0;
  }
  const dir = await mkdtemp(join(tmpdir(), 'bench-webhook-'));
  try {
    const programs = options.source ? {} : { webhook: await bundled(dir, options['node-flag']) };
    const extraFlags = { webhook: ['--drain=0s'] };
    const stack = await startLocalStack({ dir, components: ['apiserver', 'webhook'], programs, extraFlags }, () => {});
    try {
      const target = await prepare(stack);
      const report = await measure(target, stack.pids().get('webhook') ?? 0, options, signal);
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
      return report.steady.errors + report.concurrent.errors + report.big.errors === 0 ? 0 : 1;
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
