// docs/reference/flags.md: the flags of every component, from the definitions that they are parsed by.
import { flags as snapshotter } from '@snapshot-stack/csi-snapshotter';
import { flags as driver } from '@snapshot-stack/hostpath-driver';
import { flags as provisioner } from '@snapshot-stack/provisioner';
import { formatDuration, type FlagDefinition, type FlagDefinitions } from '@snapshot-stack/runtime';
import { flags as controller } from '@snapshot-stack/snapshot-controller';
import { flags as webhook } from '@snapshot-stack/webhook';
import type { Generator } from '../generate/generator.ts';
import { code, page, table } from './tables.ts';

const COMPONENTS: readonly [string, FlagDefinitions][] = [
  ['snapshot-controller', controller.definitions],
  ['csi-snapshotter', snapshotter.definitions],
  ['csi-provisioner', provisioner.definitions],
  ['snapshot-webhook', webhook.definitions],
  ['hostpath-driver', driver.definitions],
];

function defaultOf(definition: FlagDefinition): string {
  const value: unknown = definition.default;
  if (definition.type === 'duration') return formatDuration(value as number);
  if (Array.isArray(value)) return value.join(' ');
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function row([name, definition]: [string, FlagDefinition]): string[] {
  const { type, help, env, deprecated } = definition;
  const more = [env === undefined ? '' : ` Also from ${env}.`, deprecated === undefined ? '' : ` Deprecated: ${deprecated}.`].join('');
  return [code(`--${name}`), type, code(defaultOf(definition)), `${help}.${more}`];
}

function text(): string {
  const parts = COMPONENTS.map(([name, definitions]) => `## ${name}\n\n${table(['Flag', 'Type', 'Default', ''], Object.entries(definitions).map(row))}`);
  const notes =
    "Go's syntax: `-flag`, `--flag`, `--flag=value`, `--flag value` (not for bools). Durations: `90s`, `1m30s`. Lists and maps may be given several times. An unknown flag ends the program with exit code 2 and the nearest name.";
  return page('Flags', 'packages/*/src/options.ts', [notes, ...parts]);
}

export const flagsReference: Generator = { name: 'flags-reference', files: () => Promise.resolve(new Map([['docs/reference/flags.md', text()]])) };
