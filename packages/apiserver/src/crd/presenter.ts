// Shows stored custom resources in the version that a request asks for, by their definition's conversion webhook where
// there is one. An object is converted once per version: stored objects never change, a write makes a new one.
import type { KubeObject } from '@snapshot-stack/api-types';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import type { JsonObject } from '../schema/schema.ts';
import { StatusError } from '../status.ts';
import { ConversionError, convert, type CallWebhook } from './conversion.ts';
import { admitToSchema } from './instance.ts';
import { inVersion } from './versions.ts';

export class Presenter {
  readonly #call: CallWebhook;
  readonly #converted = new WeakMap<KubeObject, Map<string, Promise<KubeObject>>>();

  constructor(call: CallWebhook) {
    this.#call = call;
  }

  /** True when showing this object takes a webhook. */
  needsWebhook({ custom, origin, ...definition }: ResourceDefinition, object: KubeObject): boolean {
    return custom && origin?.spec.conversion?.strategy === 'Webhook' && object.apiVersion !== groupVersionOf(definition);
  }

  /** @throws StatusError 500 when the webhook fails */
  async present(definition: ResourceDefinition, object: KubeObject): Promise<KubeObject> {
    if (!this.needsWebhook(definition, object)) return inVersion(definition, object);
    const versions = this.#converted.get(object) ?? new Map<string, Promise<KubeObject>>();
    this.#converted.set(object, versions);
    const known = versions.get(definition.version);
    if (known !== undefined) return known;
    const made = this.#convert(definition, object);
    versions.set(definition.version, made);
    // A webhook that failed is asked again next time.
    made.catch(() => versions.delete(definition.version));
    return made;
  }

  async #convert(definition: ResourceDefinition, object: KubeObject): Promise<KubeObject> {
    const { origin, schema, version } = definition;
    if (origin === undefined) return object;
    try {
      const [converted] = await convert([structuredClone(object) as unknown as JsonObject], origin, version, this.#call);
      if (converted === undefined) throw new ConversionError('the webhook gave back nothing');
      if (schema !== undefined) admitToSchema(converted, schema);
      return converted as unknown as KubeObject;
    } catch (error) {
      if (error instanceof ConversionError) throw new StatusError(500, 'InternalError', error.message);
      throw error;
    }
  }
}
