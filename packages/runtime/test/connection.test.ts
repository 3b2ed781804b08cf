import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configMaps } from '@snapshot-stack/api-types';
import { ConnectionError, createClient, loadConnection } from '@snapshot-stack/runtime';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json, serve } from './scripted-server.ts';

function directory(files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'connection-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfig({ cluster = 'server: https://1.2.3.4:6443', user = 'token: secret', context = 'cluster: c, user: u' } = {}): string {
  return `
current-context: x
contexts: [{ name: x, context: { ${context} } }]
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
`;
}

const load = (text: string, files: Record<string, string> = {}) =>
  loadConnection({ kubeconfig: join(directory({ ...files, config: text }), 'config'), env: {} });

describe('a kubeconfig', () => {
  it('gives server, namespace, certificates and token', async () => {
    const connection = await load(
      kubeconfig({
        cluster: `server: 'https://[::1]:6443', certificate-authority-data: ${base64(PEM)}, tls-server-name: kubernetes`,
        user: 'client-certificate: cert.pem, client-key: cert.pem, token: secret',
        context: 'cluster: c, user: u, namespace: mine',
      }),
      { 'cert.pem': PEM },
    );
    expect(connection).toMatchObject({ server: 'https://[::1]:6443', namespace: 'mine', tls: { ca: PEM, cert: PEM, key: PEM, serverName: 'kubernetes' } });
    expect(await connection.token?.()).toBe('secret');
  });

  it('is found by KUBECONFIG too, and the flag wins over it', async () => {
    const path = join(directory({ one: kubeconfig(), two: kubeconfig({ cluster: 'server: https://two' }) }), '');
    expect(await loadConnection({ env: { KUBECONFIG: join(path, 'one') } })).toMatchObject({ server: 'https://1.2.3.4:6443', namespace: 'default' });
    expect(await loadConnection({ kubeconfig: join(path, 'two'), env: { KUBECONFIG: join(path, 'one') } })).toMatchObject({ server: 'https://two' });
  });

  it.each<[string, string, RegExp]>([
    ['is no YAML', '{', /config is no YAML/],
    ['has no current context', 'contexts: []', /config has no context ""; it has none/],
    ['names a cluster it does not have', kubeconfig({ context: 'cluster: d, user: u' }), /config \(context "x"\) has no cluster "d"; it has "c"/],
    ['names a user it does not have', kubeconfig({ context: 'cluster: c, user: v' }), /has no user "v"; it has "u"/],
    ['has no server', kubeconfig({ cluster: 'insecure-skip-tls-verify: true' }), /cluster "c" has no server/],
    ['has a server that is no URL', kubeconfig({ cluster: 'server: "1.2.3.4:6443"' }), /"1.2.3.4:6443" of cluster "c" is no http or https URL/],
    [
      'asks for a proxy',
      kubeconfig({ cluster: 'server: "https://a", proxy-url: "http://p"' }),
      /\(context "x"\) asks for the proxy "http:\/\/p"; proxies are not supported/,
    ],
    ['asks for impersonation', kubeconfig({ user: 'as: admin' }), /impersonation is not supported/],
    ['names a file that is not there', kubeconfig({ user: 'client-key: gone.pem' }), /names the client-key gone.pem, which cannot be read: ENOENT/],
    ['holds garbage for a certificate', kubeconfig({ user: 'client-certificate-data: Z2FyYmFnZQ==' }), /the client-certificate is no PEM text/],
  ])('that %s is refused in words that help', async (_what, text, words) => {
    const error = await load(text).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as Error).message).toMatch(words);
  });

  it('that is not there is named', async () => {
    await expect(loadConnection({ kubeconfig: '/nowhere/config', env: {} })).rejects.toThrow('the kubeconfig /nowhere/config cannot be read: ENOENT');
    await expect(loadConnection({ env: { KUBECONFIG: '/nowhere/a:/nowhere/b' } })).rejects.toThrow('only one is supported');
  });

  it('with an exec plugin gets its token from the plugin', { timeout: 30_000 }, async () => {
    const credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-the-plugin"}}';
    const exec = `exec: { apiVersion: client.authentication.k8s.io/v1, command: echo, args: ['${credential}'], interactiveMode: Never }`;
    const connection = await load(kubeconfig({ user: exec }));
    expect(await connection.token?.()).toBe('from-the-plugin');
    expect(connection.server).toBe('https://1.2.3.4:6443');
  });
});

describe('in a pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: '::1', KUBERNETES_SERVICE_PORT: '443' };

  it('the service account gives server, namespace and token', async () => {
    const serviceAccountDir = directory({ token: 'abc\n', namespace: 'storage\n', 'ca.crt': PEM });
    const connection = await loadConnection({ env, serviceAccountDir });
    expect(connection).toMatchObject({ server: 'https://[::1]:443', namespace: 'storage', tls: { ca: PEM } });
    expect(await connection.token?.()).toBe('abc');
  });

  it('outside of one it says what to do', async () => {
    await expect(loadConnection({ env: {} })).rejects.toThrow('give --kubeconfig, set KUBECONFIG, or run in a pod');
    await expect(loadConnection({ env, serviceAccountDir: directory({}) })).rejects.toThrow('no API server is known');
  });
});

describe('a token file', () => {
  it('that cannot be read is named in the error of the request', async () => {
    const server = await serve((_request, response) => json(response, 200, {}));
    const client = createClient(await load(kubeconfig({ cluster: `server: ${server.connection.server}`, user: 'tokenFile: gone' })), { userAgent: 'test' });
    await expect(client.get(configMaps, { name: 'a' })).rejects.toThrow(/the token file .*gone cannot be read/);
    expect(server.seen).toHaveLength(0);
  });

  it('is read again after a minute, and its last content serves while it cannot be read', async () => {
    const path = directory({ config: kubeconfig({ user: 'tokenFile: token' }), token: 'one' });
    const { token } = await loadConnection({ kubeconfig: join(path, 'config'), env: {} });
    let now = performance.now();
    const real = performance.now;
    performance.now = () => now;
    onTestFinished(() => void (performance.now = real));
    expect(await token?.()).toBe('one');
    writeFileSync(join(path, 'token'), 'two');
    expect(await token?.()).toBe('one');
    now += 61_000;
    expect(await token?.()).toBe('two');
    rmSync(join(path, 'token'));
    now += 61_000;
    expect(await token?.()).toBe('two');
  });
});
