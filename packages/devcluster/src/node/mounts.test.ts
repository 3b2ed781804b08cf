import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mountsBelow, parseMountPoints } from './mounts.ts';

// Lines as the kernel writes them.
const MOUNTINFO = `22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
90 28 8:1 /data/vol /var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/pv/mount rw,relatime shared:1 - ext4 /dev/sda1 rw
91 28 8:1 /data /var/lib/kubelet/with\\040space\\134 rw - ext4 /dev/sda1 rw
92 28 8:1 /data /var/lib/kubelet2 rw - ext4 /dev/sda1 rw
`;

it('reads mount points, with the octal numbers that stand for odd characters', () => {
  expect(parseMountPoints(MOUNTINFO)).toEqual([
    '/sys',
    '/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/pv/mount',
    '/var/lib/kubelet/with space\\',
    '/var/lib/kubelet2',
  ]);
});

it('takes those below a directory, and not those beside it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mounts-'));
  try {
    const file = join(directory, 'mountinfo');
    await writeFile(file, MOUNTINFO);
    expect(await mountsBelow('/var/lib/kubelet', file)).toHaveLength(2);
    expect(await mountsBelow('/var/lib/kubelet', join(directory, 'absent'))).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
