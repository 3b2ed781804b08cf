// Certificates given as files, changed the ways they change in a cluster, and served by a real TLS server.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock, type Log } from '@snapshot-stack/runtime';
import { certificatesFromFiles, type CertificateSource, type ServingCertificate } from '../src/certificates/index.ts';
import { issue, type Issued } from '../src/certificates/make.ts';
import { waitFor } from './support/scene.ts';

const DAY_MS = 86_400_000;

function make(notAfterMs = Date.now() + DAY_MS): Promise<Issued> {
  return issue({ dnsNames: ['localhost'], notBeforeMs: Date.now() - 2 * DAY_MS, notAfterMs });
}

/** A Secret volume as kubelet lays it out: files are links into ..data, which is a link that is swapped. */
async function swapVolume(folder: string, version: string, pair: ServingCertificate): Promise<void> {
  const data = join(folder, `..${version}`);
  await mkdir(data);
  await writeFile(join(data, 'tls.crt'), pair.cert);
  await writeFile(join(data, 'tls.key'), pair.key);
  await symlink(`..${version}`, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
}

function recordingLog(lines: string[]): Log {
  const line = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: line, info: line, warn: line, error: line, with: () => recordingLog(lines) };
}

/** Resolves when a client that trusts only this CA has shaken hands; rejects when it refuses the server. */
function handshake(server: Server, ca: string): Promise<void> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca }, () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}

describe('certificatesFromFiles', () => {
  let folder = '';
  let certFile = '';
  let keyFile = '';
  const end = { controller: new AbortController(), running: Promise.resolve() };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'webhook-certificates-'));
    certFile = join(folder, 'tls.crt');
    keyFile = join(folder, 'tls.key');
    end.controller = new AbortController();
  });
  afterEach(async () => {
    end.controller.abort();
    await end.running;
    await rm(folder, { recursive: true });
  });

  const from = (log: Log = silentLog, pollMs = 60_000): CertificateSource => certificatesFromFiles({ certFile, keyFile, clock: systemClock, log, pollMs });
  const write = async ({ cert, key }: ServingCertificate): Promise<void> => {
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
  };
  const keepUp = (source: CertificateSource, seen: ServingCertificate[]): void => {
    end.running = source.run((fresh) => void seen.push(fresh), end.controller.signal);
  };

  it('serves new connections with the new certificate as soon as kubelet has swapped the volume', async () => {
    const [first, second] = [await make(), await make()];
    await swapVolume(folder, 'v1', first);
    await symlink('..data/tls.crt', certFile);
    await symlink('..data/tls.key', keyFile);
    const source = from();
    const server = createServer(await source.start(end.controller.signal));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    end.running = source.run((fresh) => server.setSecureContext(fresh), end.controller.signal);
    try {
      await handshake(server, first.ca);
      await swapVolume(folder, 'v2', second);
      await waitFor(() =>
        handshake(server, second.ca).then(
          () => true,
          () => false,
        ),
      );
      await expect(handshake(server, first.ca)).rejects.toThrow(/certificate|signature/);
    } finally {
      server.close();
    }
  });

  it('keeps the certificate in use while only half of the new pair is written, and then takes the new one', async () => {
    const [first, second] = [await make(), await make()];
    await write(first);
    const lines: string[] = [];
    const source = from(recordingLog(lines), 50);
    await source.start(end.controller.signal);
    const seen: ServingCertificate[] = [];
    keepUp(source, seen);
    await writeFile(certFile, second.cert);
    await waitFor(() => lines.some((line) => line.includes('tls.key does not belong to')));
    expect(seen).toEqual([]);
    expect(source.trouble()).toBeUndefined();
    await writeFile(keyFile, second.key);
    await waitFor(() => seen.length > 0);
    expect(seen).toEqual([{ cert: second.cert, key: second.key }]);
  });

  it('refuses a certificate that is cut off in the middle', async () => {
    const [first, second] = [await make(), await make()];
    await write(first);
    const lines: string[] = [];
    const source = from(recordingLog(lines), 50);
    await source.start(end.controller.signal);
    const seen: ServingCertificate[] = [];
    keepUp(source, seen);
    await write({ cert: second.cert + second.ca.slice(0, 100), key: second.key });
    await waitFor(() => lines.some((line) => line.includes('holds no whole certificate')));
    expect(seen).toEqual([]);
  });

  it('waits for files that are not there yet, and says which', async () => {
    const lines: string[] = [];
    const source = from(recordingLog(lines), 50);
    const started = source.start(end.controller.signal);
    await waitFor(() => lines.length > 0);
    expect(source.trouble()).toContain(`there is no file ${certFile}`);
    await write(await make());
    await started;
    expect(source.trouble()).toBeUndefined();
  });

  it('says that a certificate has expired', async () => {
    const expired = await make(Date.now() - DAY_MS);
    await write(expired);
    const source = from();
    await source.start(end.controller.signal);
    expect(source.trouble()).toContain('it expired at');
  });

  it('never writes a key into the log, whatever is wrong with it', async () => {
    const [first, second] = [await make(), await make()];
    await write(first);
    const lines: string[] = [];
    const source = from(recordingLog(lines), 20);
    await source.start(end.controller.signal);
    keepUp(source, []);
    const body = second.key.split('\n')[1] ?? '';
    await writeFile(keyFile, second.key);
    await waitFor(() => lines.some((line) => line.includes('does not belong to')));
    await writeFile(keyFile, second.key.slice(0, 100));
    await waitFor(() => lines.some((line) => line.includes('holds no private key')));
    expect(lines.filter((line) => line.includes(body) || line.includes('PRIVATE'))).toEqual([]);
  });

  it('stops waiting when it is told to', async () => {
    const started = from().start(end.controller.signal);
    end.controller.abort();
    await expect(started).rejects.toThrow(/abort/);
  });
});
