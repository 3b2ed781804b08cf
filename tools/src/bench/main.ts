// npm run bench -- <name> [options] [--json]
//
// Each bench is a file of its own that measures one thing through real processes, and prints one JSON object
// with --json. Figures of one machine at one time: compare runs, not records.
import { FlagError, runMain } from '@snapshot-stack/runtime/process';

type Bench = (argv: readonly string[], signal: AbortSignal) => Promise<number>;

interface Entry {
  help: string;
  load: () => Promise<Bench>;
}

const benches: Readonly<Record<string, Entry>> = {
  apiserver: { help: 'Writes, reads, lists, watches and memory of the embedded API server', load: async () => (await import('./apiserver.ts')).benchApiServer },
  driver: { help: 'Snapshot and restore of the hostpath driver against tar and cp', load: async () => (await import('./driver.ts')).benchDriver },
  rss: { help: 'Memory of each component, idle', load: async () => (await import('./rss.ts')).benchRss },
  runtime: { help: 'Client, informer and queue of the controller runtime', load: async () => (await import('./runtime.ts')).benchRuntime },
  snapshots: { help: 'Many snapshots at once through controller, sidecar and driver', load: async () => (await import('./snapshots.ts')).benchSnapshots },
  webhook: { help: 'Reviews per second, at once and large, through the webhook', load: async () => (await import('./webhook.ts')).benchWebhook },
};

function usage(): string {
  const lines = Object.entries(benches).map(([name, { help }]) => `  ${name.padEnd(12)}${help}`);
  return `usage: npm run bench -- <name> [options] [--json]; <name> --help lists its options\n\n${lines.join('\n')}\n`;
}

await runMain(async (signal) => {
  const [name, ...argv] = process.argv.slice(2);
  if (name === undefined || /^--?h(elp)?$/.test(name)) {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  const entry = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (entry === undefined) throw new FlagError(`there is no bench "${name}"\n\n${usage()}`);
  const bench = await entry.load();
  return bench(argv, signal);
});
