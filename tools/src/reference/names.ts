// docs/reference/events.md, error-codes.md and names.md: from the catalogues in api-types and csi.
import { Annotation, EVENT_MEANINGS, Finalizer, Label, Parameter, type EventMeaning } from '@snapshot-stack/api-types';
import { CODE_MEANINGS } from '@snapshot-stack/csi';
import type { Generator } from '../generate/generator.ts';
import { code, page, table } from './tables.ts';

function events(): string {
  const rows = Object.entries<EventMeaning>(EVENT_MEANINGS).map(([reason, { type, component, on, means, helps }]) => [
    code(reason),
    type,
    on,
    component,
    means,
    helps,
  ]);
  return page('Events', 'packages/api-types/src/event-reasons.ts', [
    "The message of each event names the objects; `kubectl describe` shows it. Reasons are upstream's wherever upstream has one.",
    table(['Reason', 'Type', 'On', 'From', 'It means', 'What helps'], rows),
  ]);
}

function codes(): string {
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const rows = Object.entries(CODE_MEANINGS).map(([name, { meaning, final, retryable }]) => [code(name), meaning, yes(final), yes(retryable)]);
  return page('CSI error codes', 'packages/csi/src/csi-error.ts', [
    'How an answer of the driver is taken. While a call may still be running nothing is given up: the same call is repeated until the driver says how it ended.',
    table(['Code', 'Meaning', 'The driver has surely ended its work', 'The same call can succeed later'], rows),
  ]);
}

function names(): string {
  const list = (title: string, of: Readonly<Record<string, string>>): string =>
    `## ${title}\n\n${Object.values(of)
      .map((name) => `- ${code(name)}`)
      .join('\n')}`;
  return page('Finalizers, annotations, labels, parameters', 'packages/api-types/src/names.ts', [
    list('Finalizers', Finalizer),
    list('Annotations', Annotation),
    list('Labels', Label),
    list('Class parameters that the sidecars consume', Parameter),
  ]);
}

export const namesReference: Generator = {
  name: 'names-reference',
  files: () =>
    Promise.resolve(
      new Map([
        ['docs/reference/events.md', events()],
        ['docs/reference/error-codes.md', codes()],
        ['docs/reference/names.md', names()],
      ]),
    ),
};
