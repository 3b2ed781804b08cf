// Events for users, never in the way of the work: recording puts into a bounded queue, one writer empties it.
// What is said again is counted on the same Event instead of becoming another one, and an object that keeps
// talking is slowed down, with the limits that client-go has.
// Source: https://pkg.go.dev/k8s.io/client-go/tools/record#EventCorrelator
import { apiVersionOf, events, type KubeEvent, type KubeObject, type ObjectReference, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import { silentLog, type Clock, type Log } from '../process/index.ts';

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
    const now = this.#options.clock.now();
    if (!this.#mayTalk(uid ?? name ?? '', now)) return;
    this.#queue.push({ reference, type, reason, message: this.#combined(reference, type, reason, text, now), at: now });
    this.#writing ??= this.#write();
  }

  #mayTalk(object: string, now: number): boolean {
    const budget = this.#budgets.get(object) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS);
    keep(this.#budgets, object, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  #combined(reference: ObjectReference, type: EventType, reason: string, message: string, now: number): string {
    const key = [reference.kind, reference.namespace, reference.name, reference.uid, type, reason].join('\n');
    let similar = this.#similar.get(key);
    if (similar === undefined || now - similar.since > SIMILAR_WINDOW_MS) similar = { messages: new Set(), since: now };
    keep(this.#similar, key, similar);
    if (similar.messages.size < SIMILAR_MAX) similar.messages.add(message);
    return similar.messages.has(message) ? message : `(combined from similar events): ${message}`;
  }

  async #write(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#send(next);
      } catch (error) {
        this.#log.warn('an event could not be written', { reason: next.reason, error });
      }
    }
    this.#writing = undefined;
  }

  async #send(said: Utterance): Promise<void> {
    const { reference, type, reason, message } = said;
    // Combined events count on one Event whatever their words.
    const words = message.startsWith('(combined') ? '(combined)' : message;
    const key = [reference.kind, reference.namespace, reference.name, reference.uid, type, reason, words].join('\n');
    const known = this.#known.get(key);
    const at = new Date(said.at).toISOString().replace(/\.\d+Z$/, 'Z');
    if (known !== undefined) {
      const counted = { ...known, count: known.count + 1 };
      try {
        await this.#options.client.patch(events, known, { kind: 'merge', body: { count: counted.count, lastTimestamp: at, message } });
        keep(this.#known, key, counted);
        return;
      } catch (error) {
        if (KubeError.from(error).code !== 'NotFound') throw error; // gone by its time to live: say it anew
      }
    }
    const event = this.#event(said, at);
    await this.#options.client.create(events, event);
    keep(this.#known, key, { name: event.metadata.name as string, namespace: event.metadata.namespace as string, count: 1 });
  }

  #event(said: Utterance, at: string): KubeEvent {
    const { component, host } = this.#options;
    const unique = `${said.at.toString(16)}${(this.#serial++).toString(16).padStart(4, '0')}`;
    return {
      metadata: { name: `${said.reference.name ?? 'object'}.${unique}`, namespace: said.reference.namespace ?? 'default' },
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
    const late = this.#options.clock.sleep(timeoutMs);
    const flushed = (async () => {
      while (this.#writing !== undefined) await this.#writing;
    })();
    await Promise.race([flushed, late]);
  }
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}
