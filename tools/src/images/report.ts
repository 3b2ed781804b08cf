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

/** One row an image and one for all together, where a layer that several images have counts once. */
export function tableOf(images: readonly BuiltImage[], startMs: StartTimes): string {
  const right = { hAlign: 'right' } as const;
  const table = new Table({ head: ['image', 'platform', 'to pull', 'unpacked', 'of its own', 'start'], style: { head: [], border: [] } });
  const shared = new Set<string>();
  const seen = new Map<string, Layer>();
  for (const layer of images.flatMap(({ layers }) => layers)) {
    if (seen.has(layer.diffId)) shared.add(layer.diffId);
    seen.set(layer.diffId, layer);
  }
  for (const { component, platform, layers, manifest } of images) {
    const own = layers.filter(({ diffId }) => !shared.has(diffId));
    const start = startMs.get(manifest.digest);
    const figures = [sum(layers, packed), sum(layers, unpacked), sum(own, packed), start === undefined ? '' : `${start.toFixed(0)} ms`];
    table.push([component.name, platform, ...figures.map((content) => ({ content, ...right }))]);
  }
  const all = [...seen.values()];
  const total = [sum(all, packed), sum(all, unpacked), '', ''];
  table.push(['all, shared layers once', '', ...total.map((content) => ({ content, ...right }))]);
  return table.toString();
}
