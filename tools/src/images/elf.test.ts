import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isElf, machineOf, neededBy, withoutSymbols } from './elf.ts';

// The running program is the one that images hold.
describe.skipIf(process.platform !== 'linux')('the program of node, on Linux', () => {
  const node = readFileSync(process.execPath);

  it('asks for the C library and a loader', () => {
    expect(isElf(node)).toBe(true);
    expect(machineOf(node)).toBe(process.arch === 'x64' ? 'amd64' : 'arm64');
    const { libraries, interpreter } = neededBy(node);
    expect(libraries).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6', 'libm.so.6']));
    expect(interpreter).toMatch(/^\/lib.*\/ld-linux-/);
  });

  it('runs without its symbols', () => {
    const folder = mkdtempSync(join(tmpdir(), 'images-elf-'));
    try {
      const small = withoutSymbols(node);
      expect(small.length).toBeLessThan(node.length);
      expect(neededBy(small)).toEqual(neededBy(node));
      writeFileSync(join(folder, 'node'), small, { mode: 0o755 });
      const script = "const { DatabaseSync } = require('node:sqlite'); new DatabaseSync(':memory:'); process.stdout.write(process.version)";
      expect(String(execFileSync(join(folder, 'node'), ['--disable-warning=ExperimentalWarning', '-e', script]))).toBe(process.version);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it('knows that a script is no program of this format', () => {
  expect(isElf(Buffer.from(`#!/bin/sh\n${'#'.repeat(100)}`))).toBe(false);
  expect(isElf(Buffer.alloc(3))).toBe(false);
});
