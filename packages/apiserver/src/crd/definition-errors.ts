// Validation of a CustomResourceDefinition: names, versions, conversion, columns; schemas are in structural-errors.ts.
// Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
import { jsonEqual } from '@snapshot-stack/api-types';
import type { FieldError } from '../schema/field-error.ts';
import { forbidden, invalid, notSupported, required } from '../schema/field-error.ts';
import { formatCheck } from '../schema/formats.ts';
import type { Schema } from '../schema/schema.ts';
import { parsePath } from './json-path.ts';
import { isProtectedGroup } from './lifecycle.ts';
import { selectableFieldErrors } from './selectable-fields.ts';
import { structuralErrors } from './structural-errors.ts';
import type { Definition, DefinitionColumn, DefinitionNames, DefinitionVersion } from './types.ts';
import { isEstablished } from './types.ts';

const LABEL_1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function label1035Faults(text: string): string[] {
  return [...(text.length > 63 ? ['must be no more than 63 bytes'] : []), ...(/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text) ? [] : [LABEL_1035])];
}

/** All errors of a definition with its defaults; `old` is the stored one on update. */
export function definitionErrors(definition: Definition, old?: Definition): FieldError[] {
  return [
    ...(old === undefined ? nameErrors(definition) : immutableErrors(definition, old)),
    ...specErrors(definition),
    ...storedVersionErrors(definition),
    ...approvalErrors(definition, old),
  ];
}

function nameErrors({ metadata, spec }: Definition): FieldError[] {
  const name = metadata.name ?? '';
  if (name === '' || name === `${spec.names?.plural ?? ''}.${spec.group ?? ''}`) return [];
  return [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')];
}

function immutableErrors({ spec }: Definition, old: Definition): FieldError[] {
  const errors: FieldError[] = [];
  const fixed = (field: string, value: unknown, before: unknown): void => {
    if (value !== before) errors.push(invalid(field, value, 'field is immutable'));
  };
  if (isEstablished(old)) {
    fixed('spec.scope', spec.scope, old.spec.scope);
    fixed('spec.names.kind', spec.names.kind, old.spec.names.kind);
  }
  fixed('spec.group', spec.group, old.spec.group);
  fixed('spec.names.plural', spec.names.plural, old.spec.names.plural);
  return errors;
}

function specErrors({ spec }: Definition): FieldError[] {
  const versions = spec.versions ?? [];
  return [
    ...groupErrors(spec.group ?? ''),
    ...scopeErrors(spec.scope),
    ...(spec.preserveUnknownFields === true ? [invalid('spec.preserveUnknownFields', true, 'must be false')] : []),
    ...versionErrors(versions),
    ...requiredNameErrors(spec.names ?? { plural: '', kind: '' }),
    ...schemaErrors(versions),
    ...conversionErrors(spec.conversion),
  ];
}

function groupErrors(group: string): FieldError[] {
  if (group === '') return [required('spec.group')];
  if (group.length > 253 || formatCheck('k8s-long-name')?.(group) === false) return [invalid('spec.group', group, SUBDOMAIN)];
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')];
}

function scopeErrors(scope: string | undefined): FieldError[] {
  if (scope === undefined || scope === '') return [required('spec.scope')];
  return scope === 'Cluster' || scope === 'Namespaced' ? [] : [notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])];
}

type Hoistable = 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields';

// What all versions share stands at the top of the internal form, which the texts of errors show.
function isShared(versions: readonly DefinitionVersion[], part: Hoistable): boolean {
  return versions.every((version) => jsonEqual(version[part] ?? null, versions[0]?.[part] ?? null));
}

function internalVersions(versions: readonly DefinitionVersion[]): unknown[] {
  const own = (version: DefinitionVersion, part: Hoistable): unknown => (isShared(versions, part) ? null : (version[part] ?? null));
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: own(version, 'schema'),
    Subresources: own(version, 'subresources'),
    AdditionalPrinterColumns: own(version, 'additionalPrinterColumns'),
    SelectableFields: own(version, 'selectableFields'),
  }));
}

function versionErrors(versions: readonly DefinitionVersion[]): FieldError[] {
  const errors = versions.flatMap((version, index) => oneVersionErrors(version, `spec.versions[${index}]`));
  const base = (part: Hoistable, index: number): string => (isShared(versions, part) ? 'spec' : `spec.versions[${index}]`);
  versions.forEach((version, index) => {
    if (index > 0 && isShared(versions, 'subresources') && isShared(versions, 'additionalPrinterColumns') && isShared(versions, 'selectableFields')) return;
    errors.push(...subresourceErrors(version, `${base('subresources', index)}.subresources`));
    (version.additionalPrinterColumns ?? []).forEach((column, at) =>
      errors.push(...columnErrors(column, `${base('additionalPrinterColumns', index)}.additionalPrinterColumns[${at}]`)),
    );
    errors.push(...selectableFieldErrors(version, `${base('selectableFields', index)}.selectableFields`));
  });
  const names = new Set(versions.map((version) => version.name));
  if (names.size < versions.length) errors.push(invalid('spec.versions', internalVersions(versions), 'must contain unique version names'));
  if (versions.filter((version) => version.storage).length !== 1) {
    errors.push(invalid('spec.versions', internalVersions(versions), 'must have exactly one version marked as storage version'));
  }
  return errors;
}

function oneVersionErrors(version: DefinitionVersion, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const faults = label1035Faults(version.name ?? '');
  if (faults.length > 0) errors.push(invalid(`${path}.name`, version.name ?? '', faults.join(',')));
  if (version.schema?.openAPIV3Schema === undefined) errors.push(required(`${path}.schema.openAPIV3Schema`));
  const warning = version.deprecationWarning;
  if (warning !== undefined && version.deprecated !== true)
    errors.push(invalid(`${path}.deprecationWarning`, warning, 'can only be set for deprecated versions'));
  if (warning !== undefined && (warning.length === 0 || warning.length > 256)) {
    errors.push(invalid(`${path}.deprecationWarning`, warning, warning.length === 0 ? 'must not be empty if set' : 'must be <= 256 characters long'));
  }
  return errors;
}

function subresourceErrors({ subresources }: DefinitionVersion, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  return [
    ...scalePathErrors(`${path}.scale.specReplicasPath`, scale.specReplicasPath, ['.spec'], true),
    ...scalePathErrors(`${path}.scale.statusReplicasPath`, scale.statusReplicasPath, ['.status'], true),
    ...scalePathErrors(`${path}.scale.labelSelectorPath`, scale.labelSelectorPath, ['.status', '.spec'], false),
  ];
}

function scalePathErrors(field: string, path: string | undefined, roots: readonly string[], isRequired: boolean): FieldError[] {
  if (path === undefined || path === '') return isRequired ? [required(field)] : [];
  const simple = simplePathErrors(field, path);
  if (simple.length > 0) return simple;
  if (roots.some((root) => path.startsWith(`${root}.`))) return [];
  return [invalid(field, path, `should be a json path under ${roots.length > 1 ? `either ${roots.join(' or ')}` : roots[0]}`)];
}

function simplePathErrors(field: string, path: string): FieldError[] {
  if (!path.startsWith('.')) return [invalid(field, path, 'must be a simple json path starting with .')];
  try {
    parsePath(path);
    return [];
  } catch (error) {
    return [invalid(field, path, error instanceof Error ? error.message : String(error))];
  }
}

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

function columnErrors(column: DefinitionColumn, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if ((column.name ?? '') === '') errors.push(required(`${path}.name`));
  if ((column.type ?? '') === '') errors.push(required(`${path}.type`, `must be one of ${COLUMN_TYPES.join(',')}`));
  else if (!COLUMN_TYPES.includes(column.type)) errors.push(invalid(`${path}.type`, column.type, `must be one of ${COLUMN_TYPES.join(',')}`));
  if ((column.jsonPath ?? '') === '') errors.push(required(`${path}.JSONPath`));
  else errors.push(...simplePathErrors(`${path}.JSONPath`, column.jsonPath));
  return errors;
}

function requiredNameErrors(names: DefinitionNames): FieldError[] {
  const missing = (['plural', 'singular', 'kind', 'listKind'] as const).filter((field) => (names[field] ?? '') === '');
  return [...missing.map((field) => required(`spec.names.${field}`)), ...nameFormatErrors(names)];
}

function nameFormatErrors(names: DefinitionNames): FieldError[] {
  const errors: FieldError[] = [];
  const check = (field: string, value: string | undefined, prefix = ''): void => {
    const faults = value === undefined || value === '' ? [] : label1035Faults(prefix === '' ? value : value.toLowerCase());
    if (faults.length > 0) errors.push(invalid(`spec.names.${field}`, value, `${prefix}${faults.join(',')}`));
  };
  check('plural', names.plural);
  check('singular', names.singular);
  check('kind', names.kind, 'may have mixed case, but should otherwise match: ');
  check('listKind', names.listKind, 'may have mixed case, but should otherwise match: ');
  (names.shortNames ?? []).forEach((name, index) => check(`shortNames[${index}]`, name));
  if ((names.kind ?? '') !== '' && names.kind === names.listKind)
    errors.push(invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'));
  (names.categories ?? []).forEach((name, index) => check(`categories[${index}]`, name));
  return errors;
}

function schemaErrors(versions: readonly DefinitionVersion[]): FieldError[] {
  const schemas = versions.map((version) => version.schema?.openAPIV3Schema);
  if (isShared(versions, 'schema')) return oneSchemaErrors(schemas[0], 'spec.validation.openAPIV3Schema');
  return schemas.flatMap((schema, index) => oneSchemaErrors(schema, `spec.versions[${index}].schema.openAPIV3Schema`));
}

function oneSchemaErrors(schema: Schema | undefined, path: string): FieldError[] {
  return schema === undefined ? [] : structuralErrors(schema, path);
}

function conversionErrors(conversion: Definition['spec']['conversion']): FieldError[] {
  if (conversion === undefined) return [];
  const { strategy, webhook } = conversion;
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [strategy === undefined ? required('spec.conversion.strategy') : notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])];
  if (strategy === 'None') return webhook === undefined ? [] : [forbidden('spec.conversion.webhook', 'should not be set when strategy is not set to Webhook')];
  const client = webhook?.clientConfig;
  const errors: FieldError[] = [];
  if (client === undefined) errors.push(required('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook'));
  else if ((client.url === undefined) === (client.service === undefined))
    errors.push(required('spec.conversion.webhookClientConfig', 'exactly one of url or service is required'));
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) errors.push(required('spec.conversion.conversionReviewVersions'));
  else if (!versions.includes('v1')) errors.push(invalid('spec.conversion.conversionReviewVersions', versions, 'must include at least one of v1, v1beta1'));
  return errors;
}

function storedVersionErrors({ spec, status }: Definition): FieldError[] {
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalid('status.storedVersions', null, 'must have at least one stored version')];
  const known = new Set((spec.versions ?? []).map((version) => version.name));
  return stored.flatMap((name, index) => (known.has(name) ? [] : [invalid(`status.storedVersions[${index}]`, name, 'must appear in spec.versions')]));
}

const APPROVAL = 'api-approved.kubernetes.io';
const ADVICE = 'see https://github.com/kubernetes/enhancements/pull/1111';

function approvalErrors({ metadata, spec }: Definition, old: Definition | undefined): FieldError[] {
  if (!isProtectedGroup(spec.group ?? '')) return [];
  const value = metadata.annotations?.[APPROVAL] ?? '';
  if (old !== undefined && (old.metadata.annotations?.[APPROVAL] ?? '') === value) return [];
  const field = `metadata.annotations[${APPROVAL}]`;
  if (value === '') return [required(field, `protected groups must have approval annotation "${APPROVAL}", ${ADVICE}`)];
  if (value.startsWith('unapproved') || (URL.canParse(value) && /^[a-z]+:\/\/[^/]+/i.test(value))) return [];
  return [
    invalid(field, value, `protected groups must have approval annotation "${APPROVAL}" with either a URL or a reason starting with "unapproved", ${ADVICE}`),
  ];
}
