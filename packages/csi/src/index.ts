export * from './generated/csi.ts';
export { InfoRequest, PluginInfo, RegistrationService, RegistrationStatus, RegistrationStatusResponse } from './generated/pluginregistration.ts';
export type { Timestamp } from './generated/google/protobuf/timestamp.ts';
export { connectCsi, type ConnectCsiOptions, type CsiCallOptions, type CsiCallRecord, type CsiConnection, type ServiceClient } from './client.ts';
export { CODE_MEANINGS, CsiError, type CodeMeaning, type CsiCode } from './csi-error.ts';
export { redact } from './redact.ts';
export { serveCsi, type CallContext, type CsiServer, type ServeCsiOptions, type ServiceHandlers } from './server.ts';
export { parseEndpoint, type Endpoint } from './socket-path.ts';
export { waitUntilReady, type WaitUntilReadyOptions } from './wait-until-ready.ts';
