// Faults that the checker finds in an expression, told as cel-go tells them: place, text, line and a caret.

export interface Issue {
  readonly offset: number;
  readonly text: string;
}

/** An expression that does not compile. The message is that of kube-apiserver without `compilation failed: `. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly issues: readonly Issue[];

  constructor(source: string, issues: readonly Issue[]) {
    super(
      [...issues]
        .sort((one, other) => one.offset - other.offset)
        .map((issue) => display(source, issue))
        .join('\n'),
    );
    this.issues = issues;
  }
}

function display(source: string, { offset, text }: Issue): string {
  const before = source.slice(0, offset).split('\n');
  const column = Array.from(before.at(-1) ?? '').length;
  const line = source.split('\n')[before.length - 1] ?? '';
  return `ERROR: <input>:${before.length}:${column + 1}: ${text}\n | ${line}\n | ${'.'.repeat(column)}^`;
}
