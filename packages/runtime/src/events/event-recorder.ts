// Events for users, never in the way of the work: recording puts into a bounded queue, one writer empties it.
// What is said again is counted on the same Event instead of becoming another one, and an object that keeps
// talking is slowed down, with the limits that client-go has.
// Source: https://pkg.go.dev/k8s.io/client-go/tools/record#EventCorrelator
import { apiVersionOf, events, type KubeEvent, type KubeObject, type ObjectReference, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError, isAlreadyExists, isNotFound } from '../client/kube-error.ts';
import { Backoff, silentLog, type Clock, type Log } from '../process/index.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorder {
  /** Never throws and never waits. */
  record(resource: Resource, object: KubeObject, type: EventType, reason: string, message: string): void;
  /** Resolves when all that was recorded has been sent, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
}

export interface EventRecorderOptions {
  client: Client;
  /** Shown as the source, for example `snapshot-controller` or `csi-snapshotter hostpath.csi.k8s.io`. */
  component: string;
  clock: Clock;
  log?: Log;
  host?: string;
}

const QUEUE_MAX = 1_000;
const KNOWN_MAX = 4_096;
const MESSAGE_MAX = 1_024;
/** Of a name; an Event is called after its object, which may use all of it. */
const NAME_MAX = 253;
/** How often an event is sent again while the API server is away, with growing pauses: half a minute in all. */
const TRIES_MAX = 6;
const RETRY_START_MS = 1_000;
const RETRY_MAX_MS = 10_000;
// A source may say 25 things of one object at once, then one in five minutes.
const BURST = 25;
const REFILL_MS = 300_000;
// More than ten similar events (other words, same reason) within ten minutes become one "(combined from …)".
const SIMILAR_MAX = 10;
const SIMILAR_WINDOW_MS = 600_000;

interface Utterance {
  reference: ObjectReference;
  type: EventType;
  reason: string;
  message: string;
  /** One of many that differ in their words alone; all of them count on one Event. */
  combined: boolean;
  at: number;
}

interface Known {
  name: string;
  namespace: string;
  count: number;
}

interface Similar {
  messages: Set<string>;
  since: number;
}

/** A map that forgets its oldest entry rather than grow beyond `KNOWN_MAX`. */
function keep<V>(map: Map<string, V>, key: string, value: V): V {
  map.delete(key);
  map.set(key, value);
  if (map.size > KNOWN_MAX) map.delete(map.keys().next().value as string);
  return value;
}

class Recorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #log: Log;
  readonly #queue: Utterance[] = [];
  readonly #known = new Map<string, Known>();
  readonly #budgets = new Map<string, { tokens: number; at: number }>();
  readonly #similar = new Map<string, Similar>();
  #writing: Promise<void> | undefined;
  #serial = 0;
  /** Aborted while the process is about to end: pauses are cut short, and what fails then is not tried again. */
  #hurry = new AbortController();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  record(resource: Resource, object: KubeObject, type: EventType, reason: string, message: string): void {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const reference: ObjectReference = {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const text = message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX - 1)}…` : message;
    this.#log.info('event', { kind: resource.kind, object: namespace === undefined ? name : `${namespace}/${name}`, type, reason, message: text });
    if (this.#queue.length >= QUEUE_MAX) {
      this.#log.warn('too many events wait to be sent; this one is dropped', { reason });
      return;
    }
    const { clock } = this.#options;
    const source = [reference.kind, reference.namespace, reference.name, reference.uid].join('\n');
    if (!this.#mayTalk(source, clock.elapsed())) return;
    const combined = this.#isOneOfMany(`${source}\n${type}\n${reason}`, text, clock.elapsed());
    this.#queue.push({ reference, type, reason, message: combined ? `(combined from similar events): ${text}` : text, combined, at: clock.now() });
    this.#writing ??= this.#write();
  }

  #mayTalk(source: string, now: number): boolean {
    const budget = this.#budgets.get(source) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS);
    keep(this.#budgets, source, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  #isOneOfMany(key: string, message: string, now: number): boolean {
    let similar = this.#similar.get(key);
    if (similar === undefined || now - similar.since > SIMILAR_WINDOW_MS) similar = { messages: new Set(), since: now };
    keep(this.#similar, key, similar);
    if (similar.messages.size < SIMILAR_MAX) similar.messages.add(message);
    return !similar.messages.has(message);
  }

  async #write(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#sendInTime(next);
    this.#writing = undefined;
  }

  async #sendInTime(said: Utterance): Promise<void> {
    const { clock } = this.#options;
    const backoff = new Backoff({ startMs: RETRY_START_MS, maxMs: RETRY_MAX_MS });
    const event = this.#event(said);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(said, event);
        return;
      } catch (thrown) {
        const error = KubeError.from(thrown);
        const hopeless = !error.retryable || error.code === 'Forbidden' || error.code === 'Unauthorized';
        if (hopeless || attempt >= TRIES_MAX || this.#hurry.signal.aborted) {
          // In a namespace that is being deleted nothing can be created; that is no news.
          const level = error.code === 'Forbidden' && error.message.includes('being terminated') ? 'debug' : 'warn';
          this.#log[level]('an event could not be written', { reason: said.reason, object: said.reference.name, error });
          return;
        }
        await clock.sleep(backoff.next(), this.#hurry.signal).catch(() => {});
      }
    }
  }

  async #send(said: Utterance, event: KubeEvent): Promise<void> {
    const { client } = this.#options;
    const { reference, type, reason, message, combined } = said;
    const key = [reference.kind, reference.namespace, reference.name, reference.uid, type, reason, combined ? '' : message].join('\n');
    const known = this.#known.get(key);
    if (known !== undefined) {
      const counted = { ...known, count: known.count + 1 };
      try {
        await client.patch(events, known, { kind: 'merge', body: { count: counted.count, lastTimestamp: event.lastTimestamp, message } });
        keep(this.#known, key, counted);
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        this.#known.delete(key); // gone by its time to live: say it anew
      }
    }
    await client.create(events, event).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error; // an earlier try had got through, only its answer had not
    });
    keep(this.#known, key, { name: event.metadata.name as string, namespace: event.metadata.namespace as string, count: 1 });
  }

  #event(said: Utterance): KubeEvent {
    const { component, host } = this.#options;
    const at = new Date(said.at).toISOString().replace(/\.\d+Z$/, 'Z');
    const suffix = `.${said.at.toString(16)}${(this.#serial++).toString(16).padStart(4, '0')}`;
    const name = `${(said.reference.name ?? 'object').slice(0, NAME_MAX - suffix.length)}${suffix}`;
    return {
      metadata: { name, namespace: said.reference.namespace ?? 'default' },
      involvedObject: said.reference,
      reason: said.reason,
      message: said.message,
      type: said.type,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  async flush(timeoutMs: number): Promise<void> {
    const ended = new AbortController();
    this.#hurry.abort();
    const flushed = async (): Promise<void> => {
      while (this.#writing !== undefined) await this.#writing;
    };
    await Promise.race([flushed(), this.#options.clock.sleep(timeoutMs, ended.signal).catch(() => {})]);
    ended.abort();
    this.#hurry = new AbortController();
  }
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}
