// The images: what runs in each, as whom, and what it needs beside Node.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export const VERSION = '0.1.0';
export const REGISTRY = 'ghcr.io/snapshot-stack';
export const SOURCE = 'https://github.com/snapshot-stack/snapshot-stack';
/** The repository's root. */
export const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));
/** The user without rights; kubelet checks `runAsNonRoot` by the number. */
export const NONROOT = 65_532;

export interface Component {
  /** Of the image, and of the program as it calls itself. */
  name: string;
  /** Folder below packages/. */
  package: string;
  description: string;
  user: number;
  /** Whether the layer with mount, mkfs and so on is under it. */
  needsTools: boolean;
}

export const COMPONENTS: readonly Component[] = [
  {
    name: 'snapshot-controller',
    package: 'snapshot-controller',
    description: 'Binds volume snapshots to their contents and keeps their lifetimes',
    user: NONROOT,
    needsTools: false,
  },
  {
    name: 'snapshot-webhook',
    package: 'webhook',
    description: 'Checks and converts snapshot objects for the API server',
    user: NONROOT,
    needsTools: false,
  },
  {
    name: 'csi-snapshotter',
    package: 'csi-snapshotter',
    description: 'Sidecar that carries snapshot contents to a CSI driver',
    user: NONROOT,
    needsTools: false,
  },
  {
    name: 'csi-provisioner',
    package: 'provisioner',
    description: 'Sidecar that makes volumes for claims, from snapshots too',
    user: NONROOT,
    needsTools: false,
  },
  {
    name: 'hostpath-driver',
    package: 'hostpath-driver',
    description: 'CSI driver that keeps volumes and snapshots in a folder of its node',
    // It mounts.
    user: 0,
    needsTools: true,
  },
];

export function entryOf(component: Component): string {
  return join(ROOT, 'packages', component.package, 'src', 'main.ts');
}

/** Whether its package can be run already. */
export function isThere(component: Component): boolean {
  return existsSync(entryOf(component));
}

export function imageName(component: Component): string {
  return `${REGISTRY}/${component.name}:${VERSION}`;
}

export const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
export type Platform = (typeof PLATFORMS)[number];
export type Architecture = 'amd64' | 'arm64';

export function architectureOf(platform: Platform): Architecture {
  return platform === 'linux/amd64' ? 'amd64' : 'arm64';
}

/** The platform that containers on this machine have, whether it runs Linux or a virtual machine with it. */
export function defaultPlatform(): Platform {
  return process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
}

/** The architecture whose programs this machine can run itself; undefined where it is not Linux. */
export function ownArchitecture(): Architecture | undefined {
  if (process.platform !== 'linux') return undefined;
  return process.arch === 'x64' ? 'amd64' : process.arch === 'arm64' ? 'arm64' : undefined;
}
