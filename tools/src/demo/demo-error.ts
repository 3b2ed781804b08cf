/** Something the user can understand and mend: printed as it is, without a stack, and the exit code is 1. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
}
