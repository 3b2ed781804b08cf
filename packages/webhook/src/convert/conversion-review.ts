// The API server's wish to have objects in another version, and the answer.
// Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-request-and-response
import { BadRequest, isObject, type JsonObject } from '../review/bad-request.ts';
import { ConversionError, convertObject } from './convert-object.ts';

export const CONVERSION_VERSION = 'apiextensions.k8s.io/v1';

const HINT = `this path takes a ConversionReview of ${CONVERSION_VERSION} with a request, as the API server sends it for a CRD with spec.conversion.strategy Webhook`;

export interface ConversionRequest {
  readonly uid: string;
  readonly desiredApiVersion: string;
  readonly objects: readonly unknown[];
}

/** @throws BadRequest saying what is wrong with the review, and what it should be */
export function readConversionReview(body: unknown): ConversionRequest {
  if (!isObject(body)) throw new BadRequest(`the body is no JSON object; ${HINT}`);
  if (body['kind'] !== 'ConversionReview') throw new BadRequest(`the body is no ConversionReview; ${HINT}`);
  if (body['apiVersion'] !== CONVERSION_VERSION)
    throw new BadRequest(`only reviews of ${CONVERSION_VERSION} are understood; put v1 first into conversionReviewVersions of the CRD`);
  const { request } = body;
  if (!isObject(request)) throw new BadRequest(`the review has no request; ${HINT}`);
  const { uid, desiredAPIVersion, objects } = request;
  if (typeof uid !== 'string' || uid === '') throw new BadRequest('request.uid must be a string; the answer repeats it');
  if (typeof desiredAPIVersion !== 'string' || desiredAPIVersion === '') throw new BadRequest('request.desiredAPIVersion must name a version');
  if (!Array.isArray(objects)) throw new BadRequest('request.objects must be a list');
  return { uid, desiredApiVersion: desiredAPIVersion, objects };
}

export interface ConversionOutcome {
  /** The ConversionReview to answer with. */
  readonly answer: object;
  /** Why it failed; undefined when all objects were converted. */
  readonly failure: string | undefined;
}

/** All objects converted, in their order, or a failure that names the first one that cannot be. */
export function answerConversion({ uid, desiredApiVersion, objects }: ConversionRequest): ConversionOutcome {
  const review = (response: object): object => ({ kind: 'ConversionReview', apiVersion: CONVERSION_VERSION, response: { uid, ...response } });
  try {
    const convertedObjects = objects.map((object, index) => convertOne(object, index, desiredApiVersion));
    return { answer: review({ convertedObjects, result: { status: 'Success' } }), failure: undefined };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    const { message } = error;
    return { answer: review({ convertedObjects: [], result: { status: 'Failure', message, reason: 'BadRequest', code: 400 } }), failure: message };
  }
}

function convertOne(object: unknown, index: number, desired: string): JsonObject {
  if (!isObject(object)) throw new ConversionError(`objects[${index}] is no object`);
  return convertObject(object, desired);
}
