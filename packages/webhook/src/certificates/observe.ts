// What a decision about certificates needs, kept up to date by watches: the Secret, and the objects that hold our
// caBundles. Each is watched by its name alone, so that the account needs no more rights than on these.
import { secrets, type KubeObject, type Secret } from '@snapshot-stack/api-types';
import { Informer, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import { essence, readBundles, targetLabel, type ServiceName, type Target } from './bundles.ts';
import type { BundleSeen } from './decide.ts';

export interface ObserveOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly secret: { readonly namespace: string; readonly name: string };
  readonly service: ServiceName;
  readonly targets: readonly Target[];
}

interface Watched {
  readonly target: Target;
  readonly informer: Informer<KubeObject>;
}

export interface Sight {
  readonly secret: Secret | undefined;
  readonly objects: readonly { readonly target: Target; readonly object: KubeObject }[];
  /** undefined while one of the objects cannot be read. Those that are not there, or point elsewhere, are left out. */
  readonly bundles: readonly BundleSeen[] | undefined;
}

export class Observed {
  readonly #options: ObserveOptions;
  readonly #secret: Informer<Secret>;
  readonly #watched: readonly Watched[];

  /** @param onChange called after each change, and when everything has been read for the first time */
  constructor(options: ObserveOptions, onChange: () => void) {
    const { client, clock, random, log, secret, targets } = options;
    this.#options = options;
    const common = { client, clock, random, log };
    this.#secret = new Informer({ ...common, resource: secrets, namespace: secret.namespace, fieldSelector: `metadata.name=${secret.name}` });
    this.#watched = targets.map((target) => ({
      target,
      informer: new Informer({ ...common, resource: target.resource, fieldSelector: `metadata.name=${target.name}`, transform: essence }),
    }));
    for (const informer of this.#all()) {
      informer.on({ added: onChange, updated: onChange, deleted: onChange });
      void informer.synced().then(onChange);
    }
  }

  #all(): Informer<KubeObject>[] {
    return [this.#secret, ...this.#watched.map(({ informer }) => informer)];
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.run(signal)));
  }

  /** Whether it is known if there is a Secret. */
  get knowsSecret(): boolean {
    return this.#secret.hasSynced;
  }

  /** The answer of our own write. */
  rememberSecret(secret: Secret): void {
    this.#secret.cache.remember(secret);
  }

  rememberObject(target: Target, object: KubeObject): void {
    this.#watched.find((one) => one.target === target)?.informer.cache.remember(object);
  }

  /** What there is right now. A decision is carried out on the very objects that it was made on. */
  sight(): Sight {
    const objects = this.#watched.flatMap(({ target, informer }) => {
      const object = informer.cache.get(target.name);
      return object === undefined ? [] : [{ target, object }];
    });
    const areRead = this.#watched.every(({ informer }) => informer.hasSynced);
    const { service } = this.#options;
    const { namespace, name } = this.#options.secret;
    return {
      secret: this.#secret.cache.get(`${namespace}/${name}`),
      objects,
      bundles: areRead ? objects.flatMap(({ target, object }) => readBundles(object, target, service) ?? []) : undefined,
    };
  }

  /** What could not be read yet, and why; undefined when all has been. */
  unread(): string | undefined {
    const { namespace, name } = this.#options.secret;
    const waiting = [
      { what: `Secret ${namespace}/${name}`, informer: this.#secret as Informer<KubeObject> },
      ...this.#watched.map(({ target, informer }) => ({ what: targetLabel(target), informer })),
    ].filter(({ informer }) => !informer.hasSynced);
    const [first] = waiting;
    return first === undefined
      ? undefined
      : `${first.what} has not been read yet${first.informer.lastError === undefined ? '' : `: ${first.informer.lastError.message}`}`;
  }
}
