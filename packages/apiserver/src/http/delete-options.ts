// What a DELETE asks for: in its body, or when it has none in its query.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/delete.go and metav1 validation.ValidateDeleteOptions.
import { decodeProtobuf, PROTOBUF } from '../protobuf/decode.ts';
import type { DeleteRequest } from '../registry/writer.ts';
import { invalid as invalidValue, notSupported, type FieldError } from '../schema/field-error.ts';
import { badRequest, invalid } from '../status.ts';
import { readJson } from './decode.ts';

export interface DeleteOptions extends DeleteRequest {
  dryRun?: readonly string[];
}

const POLICIES = ['Foreground', 'Background', 'Orphan'];

/**
 * @param contentType of the body
 * @throws StatusError 400 for a body that is no DeleteOptions, 422 for options that are not possible
 */
export async function readDeleteOptions(bytes: Buffer, contentType: string, query: URLSearchParams): Promise<DeleteOptions> {
  const options = bytes.length === 0 ? optionsInQuery(query) : await optionsInBody(bytes, contentType);
  const errors = optionErrors(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return options;
}

async function optionsInBody(bytes: Buffer, contentType: string): Promise<DeleteOptions> {
  if (contentType === PROTOBUF) return decodeProtobuf(bytes).object ?? {};
  if (contentType !== 'application/yaml') return readJson(bytes.toString('utf8'), 'DeleteOptions');
  const { parse } = await import('yaml');
  return (parse(bytes.toString('utf8')) ?? {}) as DeleteOptions;
}

function optionsInQuery(query: URLSearchParams): DeleteOptions {
  const [policy, grace, orphan, dryRun] = [
    query.get('propagationPolicy'),
    query.get('gracePeriodSeconds'),
    query.get('orphanDependents'),
    query.getAll('dryRun'),
  ];
  if (grace !== null && !/^-?\d+$/.test(grace)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
  return {
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(orphan === null ? {} : { orphanDependents: orphan === 'true' || orphan === '1' }),
    ...(dryRun.length === 0 ? {} : { dryRun }),
  };
}

function optionErrors({ propagationPolicy: policy, orphanDependents, dryRun = [] }: DeleteOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (policy !== undefined && policy !== null && orphanDependents !== undefined && orphanDependents !== null)
    errors.push(invalidValue('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'));
  if (policy !== undefined && policy !== null && !POLICIES.includes(policy)) errors.push(notSupported('propagationPolicy', policy, [...POLICIES, 'nil']));
  if (dryRun.some((value) => value !== 'All')) errors.push(notSupported('dryRun', dryRun, ['All']));
  return errors;
}
