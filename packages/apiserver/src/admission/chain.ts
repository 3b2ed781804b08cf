// Several admission plugins as one: each may change what the one before left, then each may refuse the result.
import type { Admission } from '../registry/writer.ts';

export function chainAdmission(plugins: readonly Admission[]): Admission {
  return {
    mutate: async (attributes, object, old) => {
      let admitted = object;
      for (const plugin of plugins) admitted = await plugin.mutate(attributes, admitted, old);
      return admitted;
    },
    validate: async (attributes, object, old) => {
      for (const plugin of plugins) await plugin.validate(attributes, object, old);
    },
  };
}
