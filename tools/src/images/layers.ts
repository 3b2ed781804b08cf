// What the layers hold: the base that all images share, the tools that the driver runs, and one component each.
import { withoutSymbols } from './elf.ts';
import type { Bundle } from './bundle.ts';
import { NONROOT, type Architecture } from './components.ts';
import { controlOf, filesOf, Picker } from './deb-files.ts';
import { REPIN, downloadPackages, pinnedPackages, type DebianPackage } from './debian-packages.ts';
import { directory, file, linkTarget, merge, mergedUsr, type FileTree } from './file-tree.ts';
import { nodeBinary } from './node-binary.ts';

/** Packages of the base layer. gcc-12-base has only the licence of two of them, base-files the licences' texts. */
const BASE_PACKAGES = ['base-files', 'ca-certificates', 'gcc-12-base', 'libc6', 'libgcc-s1', 'libstdc++6'];

/** Programs that the driver runs, by package; a test holds this list to its source. */
const TOOLS: Readonly<Record<string, readonly string[]>> = {
  'btrfs-progs': ['btrfs', 'btrfstune', 'mkfs.btrfs'],
  coreutils: ['chmod', 'cp', 'rm', 'sync'],
  e2fsprogs: ['e2fsck', 'filefrag', 'mkfs.ext4', 'resize2fs'],
  mount: ['losetup', 'mount', 'umount'],
  'util-linux': ['blkid', 'fsfreeze', 'setpriv'],
  xfsprogs: ['mkfs.xfs', 'xfs_growfs'],
};

/** Packages with libraries that those programs load; one that is missing here is named by the build. */
const TOOL_LIBRARIES = [
  'libacl1',
  'libattr1',
  'libblkid1',
  'libcap-ng0',
  'libcom-err2',
  'libext2fs2',
  'libinih1',
  'liblzo2-2',
  'libmount1',
  'libpcre2-8-0',
  'libselinux1',
  'libsmartcols1',
  'libudev1',
  'liburcu8',
  'libuuid1',
  'libzstd1',
  'zlib1g',
];

const TOOL_PACKAGES = [...Object.keys(TOOLS), ...TOOL_LIBRARIES];
export const TOOL_PROGRAMS: readonly string[] = Object.values(TOOLS).flat();

export const ALL_PACKAGES: readonly string[] = [...BASE_PACKAGES, ...TOOL_PACKAGES];

/** A layer's files, and the packages that they come from. */
export interface LayerContent {
  tree: FileTree;
  packages: readonly DebianPackage[];
}

interface Unpacked {
  pin: DebianPackage;
  files: FileTree;
  control: string;
}

/** Gives unpacked packages by name; each is read once. */
export type Packages = (names: readonly string[]) => Promise<Unpacked[]>;

export async function openPackages(architecture: Architecture, mirrors: readonly string[]): Promise<Packages> {
  const pins = await pinnedPackages(architecture);
  const open = new Map<string, Unpacked>();
  const pinOf = (name: string): DebianPackage => {
    const pin = pins.find((candidate) => candidate.name === name);
    if (pin === undefined) throw new Error(`debian-packages.json does not pin ${name} for ${architecture}; run \`${REPIN}\``);
    return pin;
  };
  return async (names) => {
    const wanted = names.filter((name) => !open.has(name)).map(pinOf);
    const paths = await downloadPackages(wanted, mirrors);
    for (const [i, pin] of wanted.entries()) {
      const deb = paths[i] as string;
      open.set(pin.name, { pin, files: await filesOf(deb), control: await controlOf(deb) });
    }
    return names.map((name) => open.get(name) as Unpacked);
  };
}

/** The licence of each package, and what scanners read to know that it is there. */
function recordsOf(unpacked: readonly Unpacked[]): FileTree {
  const all = merge(...unpacked.map(({ files }) => files));
  const records: FileTree = new Map();
  for (const { pin, control } of unpacked) {
    const folder = `usr/share/doc/${pin.name}`;
    const link = all.get(folder);
    const path = `${link?.kind === 'symlink' ? linkTarget(folder, link.target) : folder}/copyright`;
    const copyright = all.get(path);
    if (copyright?.kind !== 'file') throw new Error(`${pin.name} ${pin.version} has no copyright file at ${path}`);
    records.set(`licenses/debian/${pin.name}/copyright`, copyright);
    records.set(`var/lib/dpkg/status.d/${pin.name}`, file(control));
  }
  return records;
}

/** Folders that are mounted over, and the users there are. */
function skeleton(): FileTree {
  return new Map([
    ...mergedUsr(),
    ...['app', 'dev', 'etc', 'proc', 'run', 'sys', 'usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'var'].map((path) => [path, directory()] as const),
    ['tmp', directory(0o1777)],
    ['root', directory(0o700)],
    ['home/nonroot', directory(0o700, NONROOT)],
    ['var/run', { kind: 'symlink', target: '/run' }],
    ['etc/passwd', file(`root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${NONROOT}:${NONROOT}:nonroot:/home/nonroot:/sbin/nologin\n`)],
    ['etc/group', file(`root:x:0:\nnonroot:x:${NONROOT}:\n`)],
    ['etc/nsswitch.conf', file('passwd: files\ngroup: files\nhosts: files dns\n')],
  ]);
}

/** All certificates of the package in one file, as update-ca-certificates writes it. */
function certificates(files: FileTree): FileTree {
  const roots = [...files].filter(([path]) => path.startsWith('usr/share/ca-certificates/') && path.endsWith('.crt')).sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = roots.map(([, entry]) => (entry.kind === 'file' ? entry.data.toString('utf8').trimEnd() : ''));
  return new Map([['etc/ssl/certs/ca-certificates.crt', file(`${texts.join('\n')}\n`)]]);
}

function commonLicenses(files: FileTree): FileTree {
  return new Map([...files].filter(([path, { kind }]) => path.startsWith('usr/share/common-licenses/') && kind !== 'directory'));
}

/** Node, the libraries it loads, root certificates, and the user without rights. */
export async function baseLayer(architecture: Architecture, packages: Packages): Promise<LayerContent & { nodeVersion: string; nodePackage: string }> {
  const node = await nodeBinary(architecture);
  const unpacked = await packages(BASE_PACKAGES);
  const all = merge(...unpacked.map(({ files }) => files));
  const picker = new Picker(all, architecture);
  picker.needsOf('usr/bin/node', node.data);
  picker.file('usr/lib/os-release');
  const tree = merge(
    skeleton(),
    picker.picked,
    certificates(all),
    commonLicenses(all),
    recordsOf(unpacked),
    new Map([
      ['etc/os-release', { kind: 'symlink', target: '../usr/lib/os-release' }],
      ['licenses/node/LICENSE', file(node.license)],
      ['usr/bin/node', file(withoutSymbols(node.data), 0o755)],
    ]),
  );
  return { tree, packages: unpacked.map(({ pin }) => pin), nodeVersion: node.version, nodePackage: node.package };
}

/** What the driver runs, without what the base layer has already. */
export async function toolsLayer(architecture: Architecture, packages: Packages, base: FileTree): Promise<LayerContent> {
  const unpacked = await packages(TOOL_PACKAGES);
  const all = merge(...(await packages(BASE_PACKAGES)).map(({ files }) => files), ...unpacked.map(({ files }) => files));
  const picker = new Picker(all, architecture);
  for (const program of TOOL_PROGRAMS) picker.program(program);
  picker.file('etc/mke2fs.conf');
  const tree = merge(picker.picked, recordsOf(unpacked), new Map([['etc/mtab', { kind: 'symlink', target: '../proc/self/mounts' }]]));
  return { tree: new Map([...tree].filter(([path]) => !base.has(path))), packages: unpacked.map(({ pin }) => pin) };
}

/** One component's programs and the licences of all that is in them. */
export function appLayer(bundle: Bundle, codeCache: Buffer | undefined, licenses: FileTree): FileTree {
  const files = [...bundle.files].map(([name, data]) => [`app/${name}`, file(data)] as const);
  return merge(new Map(files), codeCache === undefined ? new Map() : new Map([['app/bundle.cache', file(codeCache)]]), licenses);
}
