import { connect } from 'node:net';
import { silentLog, startHttpEndpoint, type HttpEndpointOptions } from '@snapshot-stack/runtime/process';
import { describe, expect, it, onTestFinished } from 'vitest';

async function endpoint(
  routes: HttpEndpointOptions['routes'],
): Promise<{ port: number; get: (path: string, method?: string) => Promise<[number, string]>; close: () => Promise<void> }> {
  const { port, close } = await startHttpEndpoint({ address: '127.0.0.1:0', routes, log: silentLog });
  onTestFinished(close);
  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [response.status, await response.text()];
  };
  return { port, get, close };
}

describe('the HTTP endpoint', () => {
  it('answers its routes, whatever the query', async () => {
    const { get } = await endpoint({ '/healthz': () => ({ status: 200, body: 'ok' }), '/slow': () => Promise.resolve({ status: 503, body: 'not yet' }) });
    expect(await get('/healthz?verbose=1')).toEqual([200, 'ok']);
    expect(await get('/slow')).toEqual([503, 'not yet']);
    expect(await get('/healthz', 'HEAD')).toEqual([200, '']);
  });

  it('says what there is where there is nothing, and refuses other methods', async () => {
    const { get } = await endpoint({ '/metrics': () => ({ status: 200, body: '' }) });
    expect(await get('/constructor')).toEqual([404, '404: nothing is served at this path; there are /metrics\n']);
    expect((await get('/metrics', 'POST'))[0]).toBe(405);
  });

  it('answers 500 when a route fails, and lives on', async () => {
    const fail = (): never => {
      throw new Error('no numbers today');
    };
    const { get } = await endpoint({ '/metrics': fail, '/later': () => Promise.reject(new Error('nor later')) });
    expect(await get('/metrics')).toEqual([500, '500: no numbers today\n']);
    expect(await get('/later')).toEqual([500, '500: nor later\n']);
  });

  it('closes at once, open connections notwithstanding', async () => {
    const { port, close } = await endpoint({});
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => void socket.once('close', resolve));
    await new Promise<void>((resolve) => void socket.once('connect', () => resolve()));
    await close();
    await closed;
  });

  it('names the address that it cannot have', async () => {
    const { port } = await endpoint({});
    const start = (address: string) => startHttpEndpoint({ address, routes: {}, log: silentLog });
    await expect(start(`127.0.0.1:${port}`)).rejects.toThrow(`cannot serve metrics and health on 127.0.0.1:${port}: the port is in use`);
    await expect(start('8080')).rejects.toThrow('"8080" is no address; write for example :8080');
    await expect(start(':99999')).rejects.toThrow('is no address');
  });
});
