// What a generator is, and the comparison of what generators write with what stands in the tree.

export interface Generator {
  readonly name: string;
  /** Path from the repository's root (with /) to the whole text of the file. */
  files(): Promise<ReadonlyMap<string, string>>;
}

export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
  readonly generator: string;
}

/** Runs all generators. @throws Error when two of them claim one file */
export async function generateAll(generators: readonly Generator[]): Promise<GeneratedFile[]> {
  const files = new Map<string, GeneratedFile>();
  for (const generator of generators) {
    for (const [path, text] of await generator.files()) {
      const other = files.get(path);
      if (other !== undefined) throw new Error(`generators ${other.generator} and ${generator.name} both write ${path}`);
      files.set(path, { path, text, generator: generator.name });
    }
  }
  return [...files.values()];
}

/** The files whose text in the tree is another, or that are not there at all (`read` gives undefined). */
export async function differences(files: readonly GeneratedFile[], read: (path: string) => Promise<string | undefined>): Promise<GeneratedFile[]> {
  const stale: GeneratedFile[] = [];
  for (const file of files) {
    if ((await read(file.path)) !== file.text) stale.push(file);
  }
  return stale;
}
