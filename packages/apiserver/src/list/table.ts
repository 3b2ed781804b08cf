// Objects as rows of a meta.k8s.io/v1 Table (kubectl get), or as metadata only.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
import type { KubeObject } from '@snapshot-stack/api-types';
import { builtinColumns } from '../builtin/columns.ts';
import { cellReader } from '../crd/columns.ts';
import type { ResourceDefinition } from '../registry/resource.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  cell(object: KubeObject, nowMs: number): unknown;
}

const NAME_DESCRIPTION =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';

export const nameColumn: Column = { name: 'Name', type: 'string', format: 'name', description: NAME_DESCRIPTION, cell: ({ metadata }) => metadata.name ?? '' };

const columnsByDefinition = new WeakMap<ResourceDefinition, readonly Column[]>();

function columnsOf(definition: ResourceDefinition): readonly Column[] {
  const known = columnsByDefinition.get(definition);
  if (known !== undefined) return known;
  const made = definition.custom ? customColumns(definition) : builtinColumns(definition, nameColumn);
  columnsByDefinition.set(definition, made);
  return made;
}

function customColumns({ columns }: ResourceDefinition): Column[] {
  const made = columns.map((column): Column => {
    const { name, type, format, priority, jsonPath } = column;
    const description = column.description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`;
    const cell = cellReader(column);
    return { name, type, description, cell, ...(format === undefined ? {} : { format }), ...(priority === undefined ? {} : { priority }) };
  });
  return [nameColumn, ...made];
}

/** The metadata of an object, as an object of its own. */
export function partialOf({ metadata }: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

export interface TableOptions {
  readonly includeObject: 'Metadata' | 'Object' | 'None';
  readonly nowMs: number;
  /** Of the list, or of the one object. */
  readonly metadata: object;
  /** In a watch only the first table says what its columns are. */
  readonly withoutColumns?: boolean;
}

/** A Table with one row for each object. */
export function tableOf(
  definition: ResourceDefinition,
  objects: readonly KubeObject[],
  { includeObject, nowMs, metadata, withoutColumns }: TableOptions,
): object {
  const columns = columnsOf(definition);
  const shown = (object: KubeObject): unknown => (includeObject === 'None' ? null : includeObject === 'Object' ? object : partialOf(object));
  const definitions = columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({ name, type, format, description, priority }));
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withoutColumns === true ? null : definitions,
    rows: objects.map((object) => ({ cells: cellsOf(columns, definition.view?.store(object) ?? object, nowMs), object: shown(object) })),
  };
}

// Columns of built-in kinds read the stored form.
function cellsOf(columns: readonly Column[], object: KubeObject, nowMs: number): unknown[] {
  return columns.map((column) => column.cell(object, nowMs));
}
