// The parts that several kinds have in common: policies, references, errors, class fields, columns.
import { dateTime, flag, listOf, mapOf, record, text, type Schema } from '../schema.ts';
import type { Rule } from '../rule.ts';
import type { PrinterColumn } from './definition.ts';

/** Where the API review of a set of names took place. */
export function approval(pullRequest: number): string {
  return `https://github.com/kubernetes-csi/external-snapshotter/pull/${pullRequest}`;
}

/** The warning given for snapshot.storage.k8s.io/v1beta1, which is described but no longer served. */
export function useV1Instead(kind: string): string {
  return `snapshot.storage.k8s.io/v1beta1 ${kind} is deprecated; use snapshot.storage.k8s.io/v1 ${kind}`;
}

export const readyColumn: PrinterColumn = {
  name: 'ReadyToUse',
  type: 'boolean',
  jsonPath: '.status.readyToUse',
  description: 'Whether a volume can be restored from it now.',
};

export const driverColumn = (jsonPath: string): PrinterColumn => ({
  name: 'Driver',
  type: 'string',
  jsonPath,
  description: 'The CSI driver in charge.',
});

export const deletionPolicyColumn = (jsonPath: string): PrinterColumn => ({
  name: 'DeletionPolicy',
  type: 'string',
  jsonPath,
  description: 'What happens to the data on the storage system when the snapshot is deleted.',
});

export function deletionPolicy(what: string, rules: readonly Rule[] = []): Schema {
  return text(`What becomes of ${what} on the storage system once its owner in Kubernetes is deleted: Delete removes it, Retain leaves it there.`, {
    enum: ['Delete', 'Retain'],
    rules,
  });
}

export const driverName = (rules: readonly Rule[] = []): Schema =>
  text('The name of the CSI driver in charge, exactly as the driver itself reports it (GetPluginInfo).', { rules });

export const parameters = (rules: readonly Rule[] = []): Schema =>
  mapOf(
    { type: 'string' },
    'Settings for the driver, passed on as they are. Keys under csi.storage.k8s.io/ are for the sidecar instead: they name the secrets it uses, and never reach the driver.',
    { rules },
  );

export const snapshotError = (doing: string): Schema =>
  record(`The last failure while ${doing}. It is removed when a later try succeeds.`, {
    message: text('What went wrong, in words. It may be logged and holds no secrets.'),
    time: dateTime('When it went wrong.'),
  });

export const readyToUse = (what: string): Schema => flag(`True once ${what}. Absent while that is not known.`);

/** A reference to an object, with all members that core/v1 ObjectReference has. */
export function objectReference(description: string, rules: readonly Rule[]): Schema {
  return record(
    description,
    {
      apiVersion: text('API version of the object.'),
      fieldPath: text('A part of the object, as a field path. Not used here.'),
      kind: text('Kind of the object.'),
      name: text('Name of the object.'),
      namespace: text('Namespace of the object.'),
      resourceVersion: text('A certain version of the object. Not used here.'),
      uid: text('UID of the object: tells it from one of the same name that was deleted.'),
    },
    { atomic: true, rules },
  );
}

export function labelSelector(description: string, rules: readonly Rule[]): Schema {
  return record(
    description,
    {
      matchExpressions: listOf(
        record(
          'One condition on a label.',
          {
            key: text('The label that the condition is about.'),
            operator: text('In, NotIn, Exists or DoesNotExist.'),
            values: listOf({ type: 'string' }, 'The values for In and NotIn; empty for Exists and DoesNotExist.', { atomic: true }),
          },
          { required: ['key', 'operator'] },
        ),
        'Conditions that must all hold.',
        { atomic: true },
      ),
      matchLabels: mapOf({ type: 'string' }, 'Labels that must all be there with these values.'),
    },
    { atomic: true, rules },
  );
}
