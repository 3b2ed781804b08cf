// The shapes of the OCI image specification 1.1 that are used here, and how an image's configuration is filled in.
// Source: https://github.com/opencontainers/image-spec
import { VERSION, SOURCE, architectureOf, type Component, type Platform } from './components.ts';
import { NODE_FLAGS } from './code-cache.ts';

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  spdx: 'application/spdx+json',
} as const;

export interface Descriptor {
  mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  digest: string;
  /** Bytes. */
  size: number;
  annotations?: Readonly<Record<string, string>>;
  platform?: { architecture: string; os: string };
  artifactType?: string;
}

export interface Manifest {
  schemaVersion: 2;
  mediaType: string;
  artifactType?: string;
  config: Descriptor;
  layers: readonly Descriptor[];
  subject?: Descriptor;
  annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  schemaVersion: 2;
  mediaType: string;
  manifests: readonly Descriptor[];
}

export interface ImageConfig {
  created: string;
  architecture: string;
  os: string;
  config: {
    User: string;
    Env: readonly string[];
    Entrypoint: readonly string[];
    WorkingDir: string;
    Labels: Readonly<Record<string, string>>;
  };
  rootfs: { type: 'layers'; diff_ids: readonly string[] };
  history: readonly { created: string; created_by: string }[];
}

/** A layer as it lies in the blobs. */
export interface Layer {
  /** What is in it, for people. */
  title: string;
  descriptor: Descriptor;
  /** Digest of the archive before it was compressed. */
  diffId: string;
  unpackedBytes: number;
}

/** When and from what an image was made; fixed by the commit, so that the same commit gives the same image. */
export interface Stamp {
  /** ISO 8601, in UTC. */
  created: string;
  /** A commit, with `-dirty` when files differ from it; undefined outside of a repository. */
  revision: string | undefined;
}

export function labelsOf(component: Component, stamp: Stamp): Record<string, string> {
  return {
    'org.opencontainers.image.created': stamp.created,
    'org.opencontainers.image.description': component.description,
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.source': SOURCE,
    'org.opencontainers.image.title': component.name,
    'org.opencontainers.image.vendor': 'snapshot-stack',
    'org.opencontainers.image.version': VERSION,
    ...(stamp.revision === undefined ? {} : { 'org.opencontainers.image.revision': stamp.revision }),
  };
}

export function configOf(component: Component, platform: Platform, layers: readonly Layer[], stamp: Stamp): ImageConfig {
  return {
    created: stamp.created,
    architecture: architectureOf(platform),
    os: 'linux',
    config: {
      User: `${component.user}:${component.user}`,
      Env: ['PATH=/usr/sbin:/usr/bin'],
      Entrypoint: ['/usr/bin/node', ...NODE_FLAGS, '/app/main.js'],
      WorkingDir: '/',
      Labels: labelsOf(component, stamp),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created: stamp.created, created_by: title })),
  };
}
