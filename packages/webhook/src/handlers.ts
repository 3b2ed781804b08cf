// What the two paths of the server do: body in, answer out, counted and logged.
import type { Clock, Log } from '@snapshot-stack/runtime';
import { answerConversion, readConversionReview } from './convert/conversion-review.ts';
import type { ReviewMetrics } from './metrics.ts';
import type { Cluster } from './observe/cluster.ts';
import { Look } from './observe/look.ts';
import { readAdmissionReview, type AdmissionRequest } from './review/admission-review.ts';
import { judge } from './review/judge.ts';
import { answerTo, explain, type Verdict } from './review/verdict.ts';
import { crossRules } from './rules/cross-rules.ts';

export interface HandlerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly reviews: ReviewMetrics;
}

export interface ValidatorParts extends HandlerParts {
  readonly cluster: Cluster;
  readonly preventVolumeModeConversion: boolean;
}

/** Questions to the API server may take this part of a review's time, and no longer than that. */
const ASK_SHARE = 0.5;
const ASK_MAX_MS = 3_000;

/** The function behind /validate; it throws BadRequest for what is no review. */
export function createValidator(parts: ValidatorParts): (body: unknown, timeoutMs: number) => Promise<object> {
  const { clock, cluster, reviews } = parts;
  const rules = crossRules(parts);
  return async (body, timeoutMs) => {
    const start = clock.elapsed();
    const request = readAdmissionReview(body);
    const look = new Look(cluster, clock, Math.min(timeoutMs * ASK_SHARE, ASK_MAX_MS));
    try {
      const verdict = await judge(request, rules, look);
      reviews.reviewed(request, verdict, (clock.elapsed() - start) / 1_000);
      tell(parts.log, request, verdict);
      return answerTo(request, verdict);
    } finally {
      look.end();
    }
  };
}

function tell(log: Log, request: AdmissionRequest, { denials, warnings, exempt }: Verdict): void {
  const { kind, name, operation, user, dryRun, object } = request;
  const fields = { kind, namespace: object?.metadata.namespace, name, operation, user: user.username, dryRun };
  if (denials.length > 0) log.info('denied', { ...fields, why: denials.map((denial) => `${denial.field}: ${explain(denial)}`) });
  else log.debug('allowed', { ...fields, exempt, warnings: warnings.map(({ text }) => text) });
}

/** The function behind /convert; it throws BadRequest for what is no review. */
export function createConverter({ clock, log, reviews }: HandlerParts): (body: unknown) => object {
  return (body) => {
    const start = clock.elapsed();
    const request = readConversionReview(body);
    const { answer, failure } = answerConversion(request);
    reviews.converted(failure === undefined, request.objects.length, (clock.elapsed() - start) / 1_000);
    if (failure !== undefined) log.warn('a conversion failed', { to: request.desiredApiVersion.slice(0, 100), why: failure });
    return answer;
  };
}
