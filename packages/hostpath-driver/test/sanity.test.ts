// The public CSI sanity suite (kubernetes-csi/csi-test), unmodified, against the real driver process. Version 5.6.0
// has 103 specs: one that upstream has disabled itself, seven of a later CSI version (below), and 95 that must pass.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { canMount, has, hasLoops, startTestDriver, type TestDriver } from './harness.ts';

const VERSION = 'v5.6.0';
/** Where it is installed when it is not on the PATH. */
const GO = existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : 'go';
const CACHE = fileURLToPath(new URL(`../../../node_modules/.cache/csi-sanity-${VERSION}`, import.meta.url));
const CSI_SANITY = join(CACHE, 'csi-sanity');

/** Of CSI v1.13, which this driver does not speak; this list only shrinks. */
const LATER = ['NodeGetVolumeHealth', 'NodeGetStorageHealth', 'ControllerListVolumeHealth', 'ControllerGetVolumeHealth', 'SNAPSHOT_ACCESSIBILITY_CONSTRAINTS'];

interface Spec {
  LeafNodeText: string;
  ContainerHierarchyTexts: string[];
  LeafNodeType: string;
  State: 'passed' | 'failed' | 'skipped' | 'pending';
  Failure?: { Message: string };
}

function install(): void {
  if (existsSync(CSI_SANITY)) return;
  mkdirSync(CACHE, { recursive: true });
  execFileSync(GO, ['install', `github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@${VERSION}`], {
    env: { ...process.env, GOBIN: CACHE, GOFLAGS: '-mod=mod' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

async function run(driver: TestDriver, access: 'mount' | 'block'): Promise<Spec[]> {
  const report = join(driver.dir, 'report.json');
  const mutable = join(driver.dir, 'mutable.yaml');
  writeFileSync(mutable, 'iops: "100"\n');
  const args = [
    `--csi.endpoint=${driver.socket}`,
    `--csi.mountdir=${join(driver.dir, 'mount')}`,
    `--csi.stagingdir=${join(driver.dir, 'staging')}`,
    `--csi.testvolumeaccesstype=${access}`,
    '--csi.testvolumesize=8388608',
    '--csi.testvolumeexpandsize=16777216',
    '--csi.testnodevolumeattachlimit=true',
    `--csi.testvolumemutableparameters=${mutable}`,
    `--ginkgo.json-report=${report}`,
    '--ginkgo.no-color',
  ];
  await promisify(execFile)(CSI_SANITY, args, { maxBuffer: 2 ** 26 }).catch(() => {}); // the report tells what failed
  const [suite] = JSON.parse(readFileSync(report, 'utf8')) as { SpecReports: Spec[] }[];
  return (suite?.SpecReports ?? []).filter((spec) => spec.LeafNodeType === 'It');
}

const skipReason = !has(GO) ? 'Go is missing' : !canMount ? 'mounting needs root' : !hasLoops ? 'loop devices are missing' : undefined;

describe(`csi-sanity ${VERSION}${skipReason === undefined ? '' : ` (skipped: ${skipReason})`}`, () => {
  let driver: TestDriver | undefined;
  afterEach(async () => driver?.dispose());

  test.skipIf(skipReason !== undefined).each(['mount', 'block'] as const)('passes for %s volumes', { timeout: 300_000 }, async (access) => {
    install();
    driver = await startTestDriver(['--enable-attach', '--attach-limit=8', '--enable-controller-modify-volume', '--accepted-mutable-parameter-names=iops']);
    const specs = await run(driver, access);
    const titles = (state: Spec['State']): string[] =>
      specs
        .filter((spec) => spec.State === state)
        .map((spec) => `${[...spec.ContainerHierarchyTexts, spec.LeafNodeText].join(' › ')}${spec.Failure === undefined ? '' : `: ${spec.Failure.Message}`}`);
    expect(titles('failed')).toEqual([]);
    expect(titles('skipped').filter((title) => !LATER.some((feature) => title.includes(feature)))).toEqual([]);
    expect(titles('passed').length).toBeGreaterThanOrEqual(95);
  });
});
