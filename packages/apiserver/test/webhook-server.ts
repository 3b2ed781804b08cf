// A real admission webhook over HTTPS for tests: it answers as told, and keeps what it was asked.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { issue, makeAuthority } from '../src/auth/certificates.ts';

export interface AdmissionQuestion {
  uid: string;
  operation: string;
  name?: string;
  namespace?: string;
  subResource?: string;
  kind: { group: string; version: string; kind: string };
  resource: { group: string; version: string; resource: string };
  requestResource: { version: string };
  userInfo: { username: string; groups: string[] };
  object: { metadata: Record<string, unknown>; [field: string]: unknown } | null;
  oldObject: { [field: string]: unknown } | null;
  dryRun: boolean;
}

/** What the webhook makes of a question: members of its response, `hang` to never answer, or a raw body (with an HTTP status). */
export type Answer = 'hang' | { allowed?: boolean; patch?: object[]; status?: unknown; warnings?: string[]; uid?: string; raw?: string };

export interface WebhookServer {
  readonly url: string;
  /** Base64, as a clientConfig carries it. */
  readonly caBundle: string;
  readonly questions: AdmissionQuestion[];
  /** Sockets that were opened, to see that they are used again. */
  connections(): number;
  answer(how: (question: AdmissionQuestion) => Answer): void;
  close(): Promise<void>;
}

export async function startWebhook(): Promise<WebhookServer> {
  const authority = await makeAuthority('webhook-ca', new Date());
  const serving = await issue(authority, { commonName: 'webhook', dnsNames: ['localhost', 'hook.system.svc'], addresses: ['127.0.0.1'], now: new Date() });
  const questions: AdmissionQuestion[] = [];
  let decide: (question: AdmissionQuestion) => Answer = () => ({ allowed: true });
  let connections = 0;
  const server = createServer({ cert: serving.cert, key: serving.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { request: question } = JSON.parse(Buffer.concat(chunks).toString()) as { request: AdmissionQuestion };
      questions.push(question);
      const answer = decide(question);
      if (answer === 'hang') return;
      if (answer.raw !== undefined) {
        response.writeHead(Number(answer.status ?? 200)).end(answer.raw);
        return;
      }
      const { patch, ...rest } = answer;
      const patched = patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response: { uid: question.uid, ...patched, ...rest } }));
    });
  });
  server.on('secureConnection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    caBundle: Buffer.from(authority.cert).toString('base64'),
    questions,
    connections: () => connections,
    answer: (how) => {
      decide = how;
      questions.length = 0;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
