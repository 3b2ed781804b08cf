export { startApiServer, type ApiServer, type ApiServerOptions } from './server.ts';
export { Faults, type FaultAction, type FaultMatch, type FaultTimes } from './faults/faults.ts';
export type { RequestRecord } from './http/request-log.ts';
export type { User } from './registry/writer.ts';
