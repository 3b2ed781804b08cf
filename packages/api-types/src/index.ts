// What other packages may use of api-types.
export * from './meta.ts';
export * from './json.ts';
export * from './names.ts';
export { EVENT_MEANINGS, type EventMeaning, type EventReason } from './event-reasons.ts';
export * from './core.ts';
export * from './snapshot.ts';
export * from './group-snapshot.ts';
export * from './quantity.ts';
export { isReachableFrom, matchesLabels, termAllows, type LabelSelectorLike, type Labels, type NodeLike } from './selectors.ts';
export * from './time.ts';
export * from './validate.ts';
export { snapshotCrdFiles, snapshotCrds, snapshotKinds } from './crds/index.ts';
export type { CustomResourceDefinition, CustomResourceDefinitionVersion, Kind, PrinterColumn } from './crds/definition.ts';
export type { Rule } from './rule.ts';
export type { Schema } from './schema.ts';
