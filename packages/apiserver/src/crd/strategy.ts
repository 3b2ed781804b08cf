// How CustomResourceDefinitions behave as objects of the API.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Strategy } from '../registry/resource.ts';
import { definitionErrors } from './definition-errors.ts';
import { CLEANUP_FINALIZER, defaultDefinition, initialStatus, updatedStatus } from './lifecycle.ts';
import type { Definition } from './types.ts';

const asDefinition = (object: KubeObject): Definition => object as unknown as Definition;

export const definitionStrategy: Strategy = {
  hasStatus: true,
  hasGeneration: true,
  allowsUnconditionalUpdate: false,
  prepareCreate(object) {
    const definition = asDefinition(object);
    defaultDefinition(definition);
    definition.status = initialStatus(definition);
  },
  prepareUpdate(object, old) {
    const definition = asDefinition(object);
    defaultDefinition(definition);
    definition.status = updatedStatus(definition, asDefinition(old));
    // Its objects go first; the definition waits for them.
    const { metadata } = object;
    if (metadata.deletionTimestamp === undefined || old.metadata.deletionTimestamp !== undefined) return;
    if (metadata.finalizers?.includes(CLEANUP_FINALIZER) !== true) metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP_FINALIZER];
  },
  validate: (object, old) => definitionErrors(asDefinition(object), old === undefined ? undefined : asDefinition(old)),
};
