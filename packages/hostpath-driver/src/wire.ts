// Puts the driver together, finishes what a dead process left undone, and serves it.
import { mkdirSync } from 'node:fs';
import { CsiError, serveCsi, type CsiServer } from '@snapshot-stack/csi';
import { createMetrics, startHttpEndpoint, systemClock, type HttpEndpoint, type Log } from '@snapshot-stack/runtime/process';
import { controllerHandlers, groupControllerHandlers } from './controller/handlers.ts';
import type { Driver } from './driver.ts';
import { chooseMethod, createEngine } from './files/engine.ts';
import { Layout } from './files/layout.ts';
import { identityHandlers } from './identity.ts';
import { snapshotMetadataHandlers } from './metadata/handlers.ts';
import { nodeHandlers } from './node/handlers.ts';
import { Operations } from './operations.ts';
import { driverMetrics } from './metrics.ts';
import { parseSize, type DriverOptions } from './options.ts';
import { recover } from './recovery.ts';
import { registerWithKubelet } from './registration.ts';
import { State } from './state/state.ts';

export interface RunningDriver {
  /** Resolves with the reason if kubelet does not take the driver. */
  refused: Promise<string>;
  close(): Promise<void>;
}

type AnyHandler = (request: unknown, context: unknown) => Promise<unknown>;
// Calls that change nothing; they need not wait for what others change.
const READS = /^(get|list|validate|controllerGet|groupControllerGet|nodeGet)/;

/** The same handlers, which answer a change only when it is on disk. */
function durably<H extends object>(state: State, handlers: H): H {
  const wrapped = Object.entries(handlers as Record<string, AnyHandler>).map(([name, handler]): [string, AnyHandler] => {
    if (READS.test(name)) return [name, handler];
    return [
      name,
      async (request, context) => {
        const response = await handler(request, context);
        await state.durable();
        return response;
      },
    ];
  });
  return Object.fromEntries(wrapped) as H;
}

export async function startDriver(options: DriverOptions, log: Log): Promise<RunningDriver> {
  if (options.nodeid === '') throw new Error('--nodeid is missing: the name of this node');
  mkdirSync(options.statedir, { recursive: true, mode: 0o700 });
  const state = new State(options.statedir);
  const layout = new Layout(options.statedir);
  const method = await chooseMethod(layout.volumes, options['snapshot-method']);
  const driver: Driver = {
    options,
    state,
    layout,
    engine: createEngine(method, options['copy-threads']),
    operations: new Operations(),
    clock: systemClock,
    log,
    capacity: new Map(Object.entries(options.capacity).map(([kind, size]) => [kind, parseSize(size)])),
    maxVolumeBytes: parseSize(options['max-volume-size']),
    maxNodeVolumeBytes: parseSize(options['max-volume-size-node']) || parseSize(options['max-volume-size']),
  };
  log.info('snapshots are taken by', { method, statedir: options.statedir });
  await recover(driver);
  const metrics = createMetrics();
  const { calls } = driverMetrics(metrics, method);
  const server = await serveCsi({
    endpoint: options.endpoint,
    identity: identityHandlers(driver),
    ...(options.ephemeral ? {} : { controller: durably(state, controllerHandlers(driver)), groupController: durably(state, groupControllerHandlers(driver)) }),
    ...(options['enable-snapshot-metadata'] && !options.ephemeral ? { snapshotMetadata: snapshotMetadataHandlers(driver) } : {}),
    node: durably(state, nodeHandlers(driver)),
    onCall: ({ method: name, code, seconds, error }) => {
      calls.observe({ method_name: name, grpc_status_code: code }, seconds);
      if (error instanceof CsiError && (code === 'INTERNAL' || code === 'UNKNOWN')) log.error('a call failed', { method: name, error });
      else log.debug('call', { method: name, code, ms: Math.round(seconds * 1_000) });
    },
  });
  const http =
    options['http-endpoint'] === ''
      ? undefined
      : await startHttpEndpoint({
          address: options['http-endpoint'],
          routes: {
            '/healthz': () => ({ status: 200, body: 'ok' }),
            [options['metrics-path']]: async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
          },
          log,
        });
  const { promise: refused, resolve: refuse } = Promise.withResolvers<string>();
  const registration = options['kubelet-registration-path'] === '' ? undefined : await registerWithKubelet(options, log, refuse);
  return { refused, close: () => close(driver, server, http, registration) };
}

async function close(driver: Driver, server: CsiServer, http: HttpEndpoint | undefined, registration: CsiServer | undefined): Promise<void> {
  await registration?.close(1_000);
  await server.close(5_000);
  await http?.close();
  await driver.operations.settled();
  driver.state.close();
}
