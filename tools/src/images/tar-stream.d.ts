// The part of tar-stream that is used here; the package brings no types of its own.
declare module 'tar-stream' {
  import type { Readable, Writable } from 'node:stream';

  export interface Header {
    name: string;
    type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo' | 'contiguous-file';
    mode?: number;
    uid?: number;
    gid?: number;
    size?: number;
    mtime?: Date;
    linkname?: string | null;
    uname?: string;
    gname?: string;
  }

  export interface Pack extends Readable {
    entry(header: Header, callback: (error?: Error | null) => void): Writable;
    finalize(): void;
  }

  export interface Entry extends AsyncIterable<Buffer> {
    header: Header & { name: string };
    resume(): void;
  }

  export interface Extract extends Writable, AsyncIterable<Entry> {}

  export function pack(): Pack;
  export function extract(): Extract;
}
