// The files of Debian packages, as one tree to pick from: programs by name, and with them every library they load.
import { Readable } from 'node:stream';
import { output } from './command.ts';
import { isElf, machineOf, neededBy } from './elf.ts';
import { canonicalPath, linkTarget, type FileEntry, type FileTree } from './file-tree.ts';
import { readTar } from './tar.ts';

/** Everything a package installs. @throws CommandError without dpkg-deb, or for a file that is no package */
export async function filesOf(deb: string): Promise<FileTree> {
  return readTar(Readable.from([await output('dpkg-deb', ['--fsys-tarfile', deb])]), canonicalPath);
}

/** The package's control file, as dpkg keeps it for what is installed. */
export async function controlOf(deb: string): Promise<string> {
  return String(await output('dpkg-deb', ['--field', deb]));
}

const TRIPLETS: Readonly<Record<string, string>> = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const LINKS_MAX = 8;
// Programs here are run by root or not at all: none needs to lend its owner's rights.
const WITHOUT_SETUID = 0o755;

/** Picks from a tree and notes what was picked. */
export class Picker {
  readonly picked: FileTree = new Map();
  readonly #from: FileTree;
  readonly #architecture: string;

  constructor(from: FileTree, architecture: string) {
    this.#from = from;
    this.#architecture = architecture;
  }

  /** A program by name, with all it loads. @throws Error when no package has it, or it is a script */
  program(name: string): void {
    const path = [`usr/bin/${name}`, `usr/sbin/${name}`].find((candidate) => this.#from.has(candidate));
    if (path === undefined) throw new Error(`none of the pinned packages has a program ${name}`);
    const entry = this.#follow(path);
    if (!isElf(entry.data)) throw new Error(`${path} is a script; its interpreter is not in the image`);
    this.needsOf(path, entry.data);
  }

  /** A file, or what a link leads to. @throws Error when no package has it */
  file(path: string): void {
    this.#follow(path);
  }

  /** Everything that the loader will look for when it starts `data`. @throws Error naming what is missing */
  needsOf(path: string, data: Buffer): void {
    if (machineOf(data) !== this.#architecture) throw new Error(`${path} is for ${machineOf(data)}, and the image for ${this.#architecture}`);
    const { libraries, interpreter } = neededBy(data);
    if (interpreter !== undefined) this.#library(interpreter.slice(1), path);
    for (const library of libraries) this.#library(library, path);
  }

  #library(name: string, neededBy: string): void {
    const folders = [`usr/lib/${TRIPLETS[this.#architecture]}`, 'usr/lib', 'usr/lib64'];
    const candidates = name.includes('/') ? [linkTarget('', name)] : folders.map((folder) => `${folder}/${name}`);
    const path = candidates.find((candidate) => this.#from.has(candidate));
    if (path === undefined) throw new Error(`${neededBy} needs ${name}, which none of the pinned packages has`);
    if (this.picked.has(path)) return;
    this.needsOf(path, this.#follow(path).data);
  }

  #follow(path: string): Extract<FileEntry, { kind: 'file' }> {
    let at = path;
    for (let i = 0; i < LINKS_MAX; i++) {
      const entry = this.#from.get(at);
      if (entry === undefined || entry.kind === 'directory') throw new Error(`none of the pinned packages has the file ${at}`);
      const plain = entry.kind === 'file' ? { ...entry, mode: entry.mode & WITHOUT_SETUID } : entry;
      this.picked.set(at, plain);
      if (plain.kind === 'file') return plain;
      at = linkTarget(at, plain.target);
    }
    throw new Error(`${path} is a link that leads nowhere`);
  }
}
