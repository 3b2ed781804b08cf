import type { Client } from '@snapshot-stack/runtime';

/** The same client, with watches that bring everything `ms` late: caches that lag behind. */
export function lagging(client: Client, ms: number): Client {
  return {
    ...client,
    watch: (resource, options) => {
      const late = async function* (): AsyncGenerator {
        for await (const event of client.watch(resource, options)) {
          await new Promise((resolve) => setTimeout(resolve, ms));
          yield event;
        }
      };
      return late() as never;
    },
  };
}
