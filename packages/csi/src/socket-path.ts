// Endpoints as CSI components write them (`unix:///csi/csi.sock`, `/csi/csi.sock`, `tcp://127.0.0.1:10000`),
// and the care a socket file needs: one left by a dead server is removed, one of a living server is not.
import { lstat, mkdir, unlink } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';

// sun_path holds 108 bytes with its final NUL.
const SOCKET_PATH_BYTES_MAX = 107;

export interface Endpoint {
  /** Absent for TCP. */
  socketPath?: string;
  /** As grpc-js wants it. */
  address: string;
}

/** @throws RangeError for what is no endpoint */
export function parseEndpoint(text: string): Endpoint {
  const tcp = /^tcp:\/\/(.+:\d+)$/.exec(text);
  if (tcp !== null) return { address: tcp[1] as string };
  const socketPath = text.replace(/^unix:(\/\/)?/, '');
  if (!socketPath.startsWith('/')) throw new RangeError(`"${text}" is no endpoint; write for example unix:///csi/csi.sock`);
  const bytes = Buffer.byteLength(socketPath);
  if (bytes > SOCKET_PATH_BYTES_MAX)
    throw new RangeError(`the socket path ${socketPath} has ${bytes} bytes; ${SOCKET_PATH_BYTES_MAX} are possible, use a shorter folder`);
  return { socketPath, address: `unix://${socketPath}` };
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    const end = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.setTimeout(1_000, () => end(true)); // it accepts no more, but somebody holds it
  });
}

/**
 * Makes way for a server: the folder exists, and no stale socket is in it.
 * @throws Error when somebody answers on the socket, or something else is in its place
 */
export async function prepareSocket(socketPath: string): Promise<void> {
  await mkdir(dirname(socketPath), { recursive: true });
  const stats = await lstat(socketPath).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`${socketPath} exists and is no socket; remove it or choose another endpoint`);
  if (await answers(socketPath)) throw new Error(`another process serves ${socketPath} already; stop it first, or choose another endpoint`);
  await unlink(socketPath);
}
