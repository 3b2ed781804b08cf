// From a request to a verdict: first whether it is to be judged at all, then the rules of the CRDs, then those about
// several objects, which may rely on a sound shape.
import type { Look } from '../observe/look.ts';
import type { CrossRule, Write } from '../rules/rule.ts';
import type { AdmissionRequest } from './admission-review.ts';
import { crdViolations } from './crd-rules.ts';
import { scopeOf } from './scope.ts';
import { exempt, toVerdict, type Finding, type Verdict } from './verdict.ts';

export async function judge(request: AdmissionRequest, rules: readonly CrossRule[], look: Look): Promise<Verdict> {
  const scope = scopeOf(request);
  switch (scope.kind) {
    case 'exempt':
      return exempt(scope.why);
    case 'unknown': {
      const text = `snapshot webhook: ${scope.what} is not known here and was not checked; point the webhook only at what it knows, or update it`;
      return exempt('of an unknown kind or version', [{ kind: 'warn', rule: 'known-kind', text }]);
    }
    case 'leaving': {
      const write = { request, object: scope.object, old: scope.old };
      return toVerdict(
        await findingsOf(
          rules.filter(({ readsMetadataOnly }) => readsMetadataOnly),
          write,
          look,
        ),
      );
    }
    case 'judged':
      return toVerdict(await judgeWhole({ request, object: scope.object, old: scope.old }, rules, look));
  }
}

async function judgeWhole(write: Write, rules: readonly CrossRule[], look: Look): Promise<Finding[]> {
  const { fresh, isSound } = crdViolations(write.object, write.old);
  const own = fresh.map((violation): Finding => ({ kind: 'deny', reason: 'Invalid', ...violation }));
  const others = isSound ? rules : rules.filter(({ readsMetadataOnly }) => readsMetadataOnly);
  return [...own, ...(await findingsOf(others, write, look))];
}

async function findingsOf(rules: readonly CrossRule[], write: Write, look: Look): Promise<Finding[]> {
  const found = await Promise.all(rules.map((rule) => rule.check(write, look)));
  return [...found.flat(), ...look.notes];
}
