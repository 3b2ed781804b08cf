// The form of a rule about several objects: does this request concern it, what does it need to see, and a pure
// decision over that.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Look } from '../observe/look.ts';
import type { AdmissionRequest } from '../review/admission-review.ts';
import type { Finding } from '../review/verdict.ts';

/** A creation or an update; `old` is there for an update. */
export interface Write<T extends KubeObject = KubeObject> {
  readonly request: AdmissionRequest;
  readonly object: T;
  readonly old: T | undefined;
}

export interface CrossRule {
  readonly name: string;
  /** True for a rule that reads metadata only, and so can judge an object whose other parts are broken or leaving. */
  readonly readsMetadataOnly: boolean;
  check(write: Write, look: Look): Promise<readonly Finding[]>;
}

interface RuleParts<T extends KubeObject, S> {
  readonly name: string;
  readonly readsMetadataOnly?: boolean;
  /** Kinds it is about, as `group/Kind`. */
  readonly kinds: readonly string[];
  /** False where the write cannot break the rule, which spares the looking. */
  readonly concerns: (write: Write<T>) => boolean;
  readonly observe: (write: Write<T>, look: Look) => S | Promise<S>;
  readonly decide: (seen: S) => readonly Finding[];
}

export function crossRule<T extends KubeObject, S>(parts: RuleParts<T, S>): CrossRule {
  return {
    name: parts.name,
    readsMetadataOnly: parts.readsMetadataOnly ?? false,
    check: async (write, look) => {
      const { group, kind } = write.request;
      // The request's kind tells the shape of its objects.
      const typed = write as Write<T>;
      if (!parts.kinds.includes(`${group}/${kind}`) || !parts.concerns(typed)) return [];
      return parts.decide(await parts.observe(typed, look));
    },
  };
}
