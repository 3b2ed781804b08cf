export {
  COMPONENTS,
  WEBHOOK_SERVICE,
  commandOf,
  instancesOf,
  paths,
  type ComponentName,
  type Instance,
  type InstanceName,
  type StackLayout,
} from './components.ts';
export { LocalStack, LocalStackError, publishedDevice, publishedPath, startLocalStack, type LocalStackOptions } from './local-stack.ts';
export { ManagedProcess, tailOf, type ManagedProcessOptions, type ProcessExit } from './managed-process.ts';
export { loopDevicesBelow, mountsBelow, removeRemains } from './remains.ts';
