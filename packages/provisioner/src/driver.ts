// What the driver said of itself, once, at start.
import { ControllerServiceCapability_RPC_Type as Rpc, PluginCapability_Service_Type as Service, type CsiConnection } from '@snapshot-stack/csi';

export interface Driver {
  name: string;
  csi: CsiConnection;
  timeoutMs: number;
  /** In node-local mode: where the driver's volumes on this node are, as labels; empty where it does not say. */
  place: Readonly<Record<string, string>>;
  abilities: { snapshots: boolean; clones: boolean; attach: boolean; topology: boolean; modify: boolean; capacity: boolean; singleNodeMultiWriter: boolean };
}

/** @param onNode the driver serves one node only, and is asked where that is. @throws Error when the driver cannot make volumes at all */
export async function connectDriver(csi: CsiConnection, timeoutMs: number, signal: AbortSignal, onNode = false): Promise<Driver> {
  const options = { timeoutMs, signal };
  const { name } = await csi.identity.getPluginInfo({}, options);
  if (name === '') throw new Error('the CSI driver has no name; it must answer GetPluginInfo with one');
  const plugin = await csi.identity.getPluginCapabilities({}, options);
  const services = new Set(plugin.capabilities.map(({ type }) => (type?.$case === 'service' ? type.value.type : 0)));
  if (!services.has(Service.CONTROLLER_SERVICE)) throw new Error(`the CSI driver ${name} has no controller service: it cannot make volumes`);
  const { capabilities } = await csi.controller.controllerGetCapabilities({}, options);
  const calls = new Set(capabilities.map(({ type }) => type?.value.type ?? 0));
  if (!calls.has(Rpc.CREATE_DELETE_VOLUME)) throw new Error(`the CSI driver ${name} lacks CREATE_DELETE_VOLUME: it cannot make volumes`);
  const place = onNode ? ((await csi.node.nodeGetInfo({}, options)).accessibleTopology?.segments ?? {}) : {};
  return {
    name,
    csi,
    timeoutMs,
    place,
    abilities: {
      snapshots: calls.has(Rpc.CREATE_DELETE_SNAPSHOT),
      clones: calls.has(Rpc.CLONE_VOLUME),
      attach: calls.has(Rpc.PUBLISH_UNPUBLISH_VOLUME),
      topology: services.has(Service.VOLUME_ACCESSIBILITY_CONSTRAINTS),
      capacity: calls.has(Rpc.GET_CAPACITY),
      modify: calls.has(Rpc.MODIFY_VOLUME),
      singleNodeMultiWriter: calls.has(Rpc.SINGLE_NODE_MULTI_WRITER),
    },
  };
}
