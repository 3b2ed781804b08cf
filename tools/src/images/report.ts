// The table at the end of a build.
import Table from 'cli-table3';
import type { BuiltImage } from './build.ts';
import type { Layer } from './oci.ts';

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function sum(layers: readonly Layer[], size: (layer: Layer) => number): string {
  return megabytes(layers.reduce((total, layer) => total + size(layer), 0));
}

const packed = (layer: Layer): number => layer.descriptor.size;
const unpacked = (layer: Layer): number => layer.unpackedBytes;

/** Milliseconds by manifest digest, for those images that were started. */
export type StartTimes = ReadonlyMap<string, number>;

/** Layers that these images have, each once. */
function distinct(images: readonly BuiltImage[]): Layer[] {
  return [...new Map(images.flatMap(({ layers }) => layers.map((layer) => [layer.diffId, layer] as const))).values()];
}

function isShared(layer: Layer, images: readonly BuiltImage[]): boolean {
  return images.filter(({ layers }) => layers.some(({ diffId }) => diffId === layer.diffId)).length > 1;
}

/** One row an image, and one a platform for all its images together, where a layer that several of them have counts once. */
export function tableOf(images: readonly BuiltImage[], startMs: StartTimes): string {
  const table = new Table({ head: ['image', 'platform', 'to pull', 'unpacked', 'of its own', 'start'], style: { head: [], border: [] } });
  const add = (name: string, platform: string, figures: readonly string[]): void => {
    table.push([name, platform, ...figures.map((content) => ({ content, hAlign: 'right' as const }))]);
  };
  for (const { component, platform, layers, manifest } of images) {
    const own = layers.filter((layer) => !isShared(layer, images));
    const start = startMs.get(manifest.digest);
    add(component.name, platform, [sum(layers, packed), sum(layers, unpacked), sum(own, packed), start === undefined ? '' : `${start.toFixed(0)} ms`]);
  }
  for (const platform of new Set(images.map((image) => image.platform))) {
    const all = distinct(images.filter((image) => image.platform === platform));
    add('all, shared layers once', platform, [sum(all, packed), sum(all, unpacked), '', '']);
  }
  return table.toString();
}
