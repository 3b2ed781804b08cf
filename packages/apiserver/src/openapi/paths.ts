// The paths of an OpenAPI document: what kubectl looks up there is which kind an operation is for, which patches it
// takes, and whether fieldValidation is known.
import type { ResourceDefinition } from '../registry/resource.ts';
import type { JsonObject } from '../schema/schema.ts';

const text = (name: string, description: string, where = 'query'): JsonObject => ({
  name,
  in: where,
  description,
  ...(where === 'path' ? { required: true } : {}),
  schema: { type: 'string', uniqueItems: true },
});

const DRY_RUN = text('dryRun', 'When present, indicates that modifications should not be persisted. Valid values are: All.');
const FIELD_MANAGER = text('fieldManager', 'The name of the actor that makes the change.');
const FIELD_VALIDATION = text('fieldValidation', 'What to do about unknown or duplicate fields: Ignore, Warn or Strict.');
const FORCE = text('force', 'Takes over fields that other managers own (apply only).');
const WRITE = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];

const JSON_PATCHES = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'];

interface Shape {
  readonly definition: ResourceDefinition;
  readonly schemaName: string;
}

function contentOf(types: readonly string[], schema: JsonObject): JsonObject {
  return { content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}

function operation(
  { definition, schemaName }: Shape,
  action: string,
  parts: { list?: boolean; parameters?: readonly JsonObject[]; body?: JsonObject },
): JsonObject {
  const { group, version, kind } = definition;
  const ref = { $ref: `#/components/schemas/${schemaName}${parts.list === true ? 'List' : ''}` };
  const tag = `${group === '' ? 'core' : group.replaceAll(/\.([a-z])/g, (_, letter: string) => letter.toUpperCase()).replaceAll('.', '')}_${version}`;
  return {
    tags: [tag],
    description: `${action} ${kind}`,
    operationId: `${action}${tag}${definition.namespaced ? 'Namespaced' : ''}${kind}`,
    ...(parts.parameters === undefined ? {} : { parameters: parts.parameters }),
    ...(parts.body === undefined ? {} : { requestBody: parts.body }),
    responses: { '200': { description: 'OK', ...contentOf(['application/json', 'application/yaml'], ref) } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
}

/** The paths of a resource; `schemaName` is that of its kind in components. */
export function pathsOf(definition: ResourceDefinition, schemaName: string): JsonObject {
  const shape: Shape = { definition, schemaName };
  const base = definition.group === '' ? `/api/${definition.version}` : `/apis/${definition.group}/${definition.version}`;
  const collection = `${base}${definition.namespaced ? '/namespaces/{namespace}' : ''}/${definition.plural}`;
  const body = contentOf(['*/*'], { $ref: `#/components/schemas/${schemaName}` });
  const patchTypes = definition.custom ? JSON_PATCHES : [...JSON_PATCHES, 'application/strategic-merge-patch+json'];
  const patchBody = contentOf(patchTypes, { type: 'object' });
  const inPath = definition.namespaced ? [text('namespace', 'object name and auth scope, such as for teams and projects', 'path')] : [];
  const item = {
    get: operation(shape, 'get', {}),
    put: operation(shape, 'put', { parameters: WRITE, body }),
    patch: operation(shape, 'patch', { parameters: [...WRITE, FORCE], body: patchBody }),
    delete: operation(shape, 'delete', { parameters: [DRY_RUN] }),
    parameters: [text('name', `name of the ${definition.kind}`, 'path'), ...inPath],
  };
  const paths: JsonObject = {
    [collection]: {
      get: operation(shape, 'list', { list: true }),
      post: operation(shape, 'post', { parameters: WRITE, body }),
      ...(inPath.length === 0 ? {} : { parameters: inPath }),
    },
    [`${collection}/{name}`]: item,
  };
  if (definition.strategy.hasStatus) {
    const { delete: _delete, ...status } = item;
    paths[`${collection}/{name}/status`] = status;
  }
  return paths;
}
