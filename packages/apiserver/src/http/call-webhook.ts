// Calls a webhook: an HTTPS POST of JSON to where a clientConfig points, trusting its caBundle, bounded in time and size.
// Source: k8s.io/apiserver/pkg/util/webhook.
import { request as httpsRequest } from 'node:https';
import { parseJson, stringifyJson } from '@snapshot-stack/api-types';

export interface WebhookClientConfig {
  readonly url?: string;
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string; readonly port?: number };
  /** PEM, in base64. */
  readonly caBundle?: string;
}

export interface WebhookCall {
  readonly config: WebhookClientConfig;
  readonly body: unknown;
  readonly timeoutMs: number;
  /** Where a Service is to be reached, such as `https://127.0.0.1:8443`; there is no service network here. */
  readonly resolveService?: (service: NonNullable<WebhookClientConfig['service']>) => string | undefined;
}

const ANSWER_BYTES_MAX = 8 * 2 ** 20;

/** A webhook that could not be called, or whose answer is of no use. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  /** True when the time was up. */
  readonly timedOut: boolean;
  constructor(message: string, timedOut = false) {
    super(message);
    this.timedOut = timedOut;
  }
}

function targetOf({ config, resolveService }: WebhookCall): { url: URL; serverName: string | undefined } {
  const { service } = config;
  if (service === undefined) return { url: new URL(config.url ?? ''), serverName: undefined };
  const serverName = `${service.name}.${service.namespace}.svc`;
  const base = resolveService?.(service);
  if (base === undefined) throw new WebhookError(`service "${service.name}" not found in namespace ${service.namespace}: tell the server where services are`);
  return { url: new URL(service.path ?? '/', base), serverName };
}

/**
 * Posts the body and gives the answer, parsed.
 * @throws WebhookError saying what was called and what went wrong
 */
export async function callWebhook(call: WebhookCall): Promise<unknown> {
  const { url, serverName } = targetOf(call);
  const text = stringifyJson(call.body);
  const answer = await post(url, serverName, text, call);
  try {
    return parseJson(answer);
  } catch {
    throw new WebhookError(`Post ${JSON.stringify(url.href)}: the answer is no JSON`);
  }
}

function post(url: URL, serverName: string | undefined, text: string, { config, timeoutMs }: WebhookCall): Promise<string> {
  const ca = config.caBundle === undefined ? {} : { ca: Buffer.from(config.caBundle, 'base64') };
  const name = serverName === undefined ? {} : { servername: serverName };
  const fail = (why: string, timedOut = false): WebhookError => new WebhookError(`Post ${JSON.stringify(url.href)}: ${why}`, timedOut);
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      ...ca,
      ...name,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'Content-Length': Buffer.byteLength(text) },
    };
    const request = httpsRequest(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_BYTES_MAX) request.destroy(fail(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(body);
        else reject(fail(`the server answered ${response.statusCode ?? 0}: ${body.slice(0, 200)}`));
      });
      response.on('error', (error) => reject(fail(error.message)));
    });
    const timer = setTimeout(() => request.destroy(fail('context deadline exceeded', true)), timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', (error) => reject(error instanceof WebhookError ? error : fail(error.message)));
    request.end(text);
  });
}
