import { describe, expect, test } from 'vitest';
import { OTHER_UID, aContent, aSnapshot } from '../testing/builders.ts';
import { decideContent, type ContentPlan, type ContentSeen } from './decide.ts';

describe('decideContent', () => {
  test.each<[string, ContentSeen, ContentPlan['kind']]>([
    ['has nothing to do for a content that is gone', { content: undefined, snapshot: undefined }, 'nothing'],
    ['protects a bound content that was made without its finalizer', { content: aContent({ held: false }), snapshot: aSnapshot() }, 'protect'],
    ['leaves a protected content alone', { content: aContent(), snapshot: aSnapshot() }, 'nothing'],
    ['leaves a content alone that nobody has bound', { content: aContent({ handle: 'h', uid: undefined, held: false }), snapshot: undefined }, 'nothing'],
    ['never deletes a content because its snapshot is gone', { content: aContent({ ready: true }), snapshot: undefined }, 'nothing'],
    [
      'says what a deleted content waits for while its snapshot lives',
      { content: aContent({ deleted: true }), snapshot: aSnapshot({ held: true }) },
      'complain',
    ],
    [
      'leaves a deleted content to the deletion of its snapshot',
      { content: aContent({ deleted: true }), snapshot: aSnapshot({ held: true, deleted: true }) },
      'nothing',
    ],
    ['marks a deleted content whose snapshot is gone', { content: aContent({ deleted: true }), snapshot: undefined }, 'mark'],
    [
      'marks a deleted content whose snapshot was replaced by another of its name',
      { content: aContent({ deleted: true, uid: OTHER_UID }), snapshot: aSnapshot() },
      'mark',
    ],
    ['marks once', { content: aContent({ deleted: true, marked: true }), snapshot: undefined }, 'nothing'],
    ['cannot protect what is being deleted', { content: aContent({ deleted: true, marked: true, held: false }), snapshot: undefined }, 'nothing'],
  ])('%s', (_says, seen, does) => {
    expect(decideContent(seen).kind).toBe(does);
  });

  test('complains of a content with two sources', () => {
    const content = aContent();
    const both = { ...content, spec: { ...content.spec, source: { volumeHandle: 'v', snapshotHandle: 'h' } } };
    expect(decideContent({ content: both, snapshot: undefined })).toMatchObject({ kind: 'complain', reason: 'ContentValidationError' });
  });
});
