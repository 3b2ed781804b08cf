// The committed CRD files, and what must stay as external-snapshotter v8.6 has it.
import { readFile, readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { snapshotCrdFiles, snapshotCrds } from '@snapshot-stack/api-types';

const directory = new URL('../crds/', import.meta.url);

describe('the CRD files', () => {
  it('are what the definitions say', async () => {
    const files = await snapshotCrdFiles();
    expect((await readdir(directory)).toSorted()).toEqual([...files.keys()].toSorted());
    for (const [name, text] of files) expect(await readFile(new URL(name, directory), 'utf8')).toBe(text);
  });

  it('read back as the objects', async () => {
    expect([...(await snapshotCrdFiles()).values()].map((text) => parse(text) as unknown)).toEqual(snapshotCrds());
  });
});

describe('the six kinds', () => {
  it.each([
    ['VolumeSnapshot', 'vs', 'v1*+ v1beta1'],
    ['VolumeSnapshotContent', 'vsc vscs', 'v1*+ v1beta1'],
    ['VolumeSnapshotClass', 'vsclass vsclasses', 'v1*+ v1beta1'],
    ['VolumeGroupSnapshot', 'vgs', 'v1+ v1beta2*+ v1beta1+'],
    ['VolumeGroupSnapshotContent', 'vgsc vgscs', 'v1+ v1beta2*+ v1beta1+'],
    ['VolumeGroupSnapshotClass', 'vgsclass vgsclasses', 'v1+ v1beta2*+ v1beta1+'],
  ])('%s has the short names %s and the versions %s (* stored, + served)', (kind, shortNames, versions) => {
    const crd = snapshotCrds().find((candidate) => candidate.spec.names.kind === kind)!;
    expect(crd.spec.names.shortNames?.join(' ')).toBe(shortNames);
    const shown = crd.spec.versions.map(({ name, storage, served }) => `${name}${storage ? '*' : ''}${served ? '+' : ''}`);
    expect(shown.join(' ')).toBe(versions);
    expect(crd.spec.versions.filter((version) => version.deprecated).map(({ name }) => name)).toEqual(['v1beta1']);
  });

  it('describe every field, so that kubectl explain helps', async () => {
    const silent: string[] = [];
    const visit = (schema: Record<string, any>, path: string) => {
      if (schema['description'] === undefined && !path.endsWith('.metadata')) silent.push(path);
      for (const [name, member] of Object.entries<Record<string, any>>(schema['properties'] ?? {})) visit(member, `${path}.${name}`);
    };
    for (const crd of snapshotCrds()) for (const version of crd.spec.versions) visit(version.schema.openAPIV3Schema, crd.spec.names.kind);
    expect(silent).toEqual([]);
  });

  it('are fresh objects at each call', async () => {
    snapshotCrds()[0]!.metadata.annotations['x'] = 'y';
    expect(snapshotCrds()[0]!.metadata.annotations['x']).toBeUndefined();
  });
});
