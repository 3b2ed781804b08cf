// OpenAPI v3: the index of documents and the document of one group and version, made when they are first asked for
// and kept while the resources of that version stay the same.
import { createHash } from 'node:crypto';
import { builtinKind } from '../builtin/schemas/catalogue.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import { groupVersionOf } from '../registry/resource.ts';
import type { JsonObject } from '../schema/schema.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';

const INFO = { title: 'Kubernetes', version: 'v1.36.0' };

interface Kept {
  readonly definitions: readonly ResourceDefinition[];
  readonly text: string;
  readonly hash: string;
}

/** Documents of all served groups, by `api/v1` or `apis/<group>/<version>`. */
export class OpenApi {
  readonly #served: () => readonly ResourceDefinition[];
  readonly #kept = new Map<string, Kept>();

  /** @param served gives all resources that are served now */
  constructor(served: () => readonly ResourceDefinition[]) {
    this.#served = served;
  }

  /** What /openapi/v3 answers: where each document is, with a hash of it for clients' caches. */
  async index(): Promise<JsonObject> {
    const paths: JsonObject = {};
    for (const path of [...this.#groups().keys()].sort()) {
      const kept = await this.#document(path);
      if (kept !== undefined) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${kept.hash}` };
    }
    return { paths };
  }

  /** The text of the document `api/v1` or `apis/<group>/<version>`; undefined when nothing is served there. */
  async document(path: string): Promise<string | undefined> {
    return (await this.#document(path))?.text;
  }

  #groups(): Map<string, ResourceDefinition[]> {
    const groups = new Map<string, ResourceDefinition[]>();
    for (const definition of this.#served()) {
      const path = definition.group === '' ? `api/${definition.version}` : `apis/${definition.group}/${definition.version}`;
      const known = groups.get(path);
      if (known === undefined) groups.set(path, [definition]);
      else known.push(definition);
    }
    return groups;
  }

  async #document(path: string): Promise<Kept | undefined> {
    const definitions = this.#groups().get(path);
    if (definitions === undefined) return undefined;
    const known = this.#kept.get(path);
    if (known !== undefined && known.definitions.length === definitions.length && definitions.every((one, index) => known.definitions[index] === one))
      return known;
    const text = JSON.stringify(await makeDocument(definitions));
    const made = { definitions, text, hash: createHash('sha512').update(text).digest('hex').toUpperCase() };
    this.#kept.set(path, made);
    return made;
  }
}

async function makeDocument(definitions: readonly ResourceDefinition[]): Promise<JsonObject> {
  // A third of a megabyte of text that only these documents need.
  const { descriptions } = await import('../builtin/schemas/generated/descriptions.ts');
  const components = new Components(descriptions);
  const paths: JsonObject = {};
  for (const definition of definitions) {
    const builtin = definition.custom ? undefined : builtinKind(groupVersionOf(definition), definition.kind);
    if (!definition.custom && builtin === undefined) continue;
    const name = components.addResource(definition, builtin);
    if (name !== undefined) Object.assign(paths, pathsOf(definition, name));
  }
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas: components.schemas } };
}

/** What /openapi/v2 answers: clients of this age read v3, so only the head of a document is there. */
export const OPENAPI_V2: JsonObject = { swagger: '2.0', info: INFO, paths: {}, definitions: {} };
