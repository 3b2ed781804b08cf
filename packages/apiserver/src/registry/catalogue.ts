// All resources that are served now: the built-in ones, and those that CustomResourceDefinitions add.
import { storageKeyOf, type ResourceDefinition } from './resource.ts';

export class Catalogue {
  readonly #byPath = new Map<string, ResourceDefinition>();

  add(definition: ResourceDefinition): void {
    this.#byPath.set(pathKey(definition.group, definition.version, definition.plural), definition);
  }

  remove(group: string, version: string, plural: string): void {
    this.#byPath.delete(pathKey(group, version, plural));
  }

  find(group: string, version: string, plural: string): ResourceDefinition | undefined {
    return this.#byPath.get(pathKey(group, version, plural));
  }

  /** All definitions, in the order in which they were added. */
  all(): ResourceDefinition[] {
    return [...this.#byPath.values()];
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.all().some((definition) => definition.group === group && definition.version === version);
  }

  hasGroup(group: string): boolean {
    return this.all().some((definition) => definition.group === group);
  }

  /** The definition through which stored objects of a resource can be seen. */
  forStorage(storageKey: string): ResourceDefinition | undefined {
    return this.all().find((definition) => storageKeyOf(definition) === storageKey);
  }
}

function pathKey(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}
