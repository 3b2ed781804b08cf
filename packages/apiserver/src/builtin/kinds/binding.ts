// Binding: the write that gives a pod its node. Source: pkg/registry/core/pod/storage.BindingREST.
import type { KubeObject } from '@snapshot-stack/api-types';
import { invalid as invalidValue, notSupported, required, type FieldError } from '../../schema/field-error.ts';
import { conflict, invalid } from '../../status.ts';
import { fieldsOf, items, part, partIn, text } from './loose.ts';

function bindingErrors(binding: KubeObject): FieldError[] {
  const target = part(binding, 'target');
  const kind = text(target, 'kind');
  const kindErrors = kind === '' || kind === 'Node' ? [] : [notSupported('target.kind', kind, ['Node', '<empty>'])];
  const name = text(target, 'name');
  if (name === '') return [...kindErrors, required('target.name')];
  return name.includes('/') ? [...kindErrors, invalidValue('target.name', name, "may not contain '/'")] : kindErrors;
}

/**
 * The pod on the node that the binding names.
 * @throws StatusError 422 for a bad binding, 409 when the pod has a node or is going
 */
export function bound(pod: KubeObject, binding: KubeObject): KubeObject {
  const errors = bindingErrors(binding);
  const name = pod.metadata.name ?? '';
  if (errors.length > 0) throw invalid({ group: '', kind: 'Binding' }, name, errors);
  const subject = { group: '', kind: 'pods/binding' };
  const spec = partIn(pod, 'spec');
  if (pod.metadata.deletionTimestamp !== undefined) throw conflict(subject, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (text(spec, 'nodeName') !== '') throw conflict(subject, name, `pod ${name} is already assigned to node ${JSON.stringify(spec['nodeName'])}`);
  spec['nodeName'] = text(part(binding, 'target'), 'name');
  const status = partIn(pod, 'status');
  const others = items(status, 'conditions').filter((condition) => fieldsOf(condition as object)['type'] !== 'PodScheduled');
  status['conditions'] = [...others, { type: 'PodScheduled', status: 'True' }];
  return pod;
}
