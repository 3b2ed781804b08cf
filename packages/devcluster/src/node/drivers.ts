// The CSI drivers on this node. Each endpoint is tried until its driver answers, and asked once what it can do.
import { connectCsi, ControllerServiceCapability_RPC_Type, NodeServiceCapability_RPC_Type, type CsiConnection } from '@snapshot-stack/csi';
import { Backoff, type Clock, type Log } from '@snapshot-stack/runtime';

export interface Driver {
  readonly name: string;
  readonly csi: CsiConnection;
  /** The driver's own id of this node. */
  readonly nodeId: string;
  /** Topology of this node, as labels. */
  readonly segments: Readonly<Record<string, string>>;
  /** 0: as many as the cluster likes. */
  readonly maxVolumes: number;
  readonly stages: boolean;
  readonly publishesByController: boolean;
  readonly expandsNode: boolean;
  readonly expandsController: boolean;
  /** Tells SINGLE_NODE_SINGLE_WRITER from SINGLE_NODE_MULTI_WRITER. */
  readonly knowsSingleWriter: boolean;
}

const ASK_TIMEOUT_MS = 10_000;

export class Drivers {
  readonly #byName = new Map<string, Driver>();
  readonly #listeners: ((driver: Driver) => void)[] = [];
  readonly #options: { readonly endpoints: readonly string[]; readonly clock: Clock; readonly log: Log };

  constructor(options: { endpoints: readonly string[]; clock: Clock; log: Log }) {
    this.#options = options;
  }

  get(name: string): Driver | undefined {
    return this.#byName.get(name);
  }

  all(): Driver[] {
    return [...this.#byName.values()];
  }

  onRegistered(listener: (driver: Driver) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when every endpoint has answered, or the signal aborts; connections stay open until then. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#options.endpoints.map((endpoint) => this.#register(endpoint, signal)));
  }

  async #register(endpoint: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff({ startMs: 100, maxMs: 2000 });
    const csi = connectCsi({ endpoint });
    signal.addEventListener('abort', () => csi.close(), { once: true });
    while (!signal.aborted) {
      try {
        const driver = await inspect(csi, signal);
        this.#byName.set(driver.name, driver);
        log.info('driver registered', { driver: driver.name, nodeId: driver.nodeId, endpoint });
        for (const listener of this.#listeners) listener(driver);
        return;
      } catch (error) {
        log.debug('the driver does not answer yet', { endpoint, error });
        await clock.sleep(backoff.next(), signal).catch(() => {});
      }
    }
  }
}

async function inspect(csi: CsiConnection, signal: AbortSignal): Promise<Driver> {
  const call = { timeoutMs: ASK_TIMEOUT_MS, signal };
  const { name } = await csi.identity.getPluginInfo({}, call);
  const info = await csi.node.nodeGetInfo({}, call);
  const node = rpcTypes(await csi.node.nodeGetCapabilities({}, call));
  const controller = rpcTypes(await csi.controller.controllerGetCapabilities({}, call));
  return {
    name,
    csi,
    nodeId: info.nodeId,
    segments: info.accessibleTopology?.segments ?? {},
    maxVolumes: Number(info.maxVolumesPerNode),
    stages: node.has(NodeServiceCapability_RPC_Type.STAGE_UNSTAGE_VOLUME),
    expandsNode: node.has(NodeServiceCapability_RPC_Type.EXPAND_VOLUME),
    knowsSingleWriter: node.has(NodeServiceCapability_RPC_Type.SINGLE_NODE_MULTI_WRITER),
    publishesByController: controller.has(ControllerServiceCapability_RPC_Type.PUBLISH_UNPUBLISH_VOLUME),
    expandsController: controller.has(ControllerServiceCapability_RPC_Type.EXPAND_VOLUME),
  };
}

function rpcTypes(answer: { capabilities: { type?: { $case: string; value: { type: number } } | undefined }[] }): Set<number> {
  return new Set(answer.capabilities.flatMap(({ type }) => (type?.$case === 'rpc' ? [type.value.type] : [])));
}
