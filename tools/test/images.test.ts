// What `npm run images` writes, held to the OCI specification, to itself, and to what the components need.
import { execFile } from 'node:child_process';
import { appendFile, cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuiltImage } from '../src/images/build.ts';
import { COMPONENTS, ROOT, defaultPlatform, imageName } from '../src/images/components.ts';
import { DOCKERFILE, buildxArguments, writeContext } from '../src/images/docker.ts';
import { NODE_FLAGS } from '../src/images/code-cache.ts';
import { TOOL_PROGRAMS } from '../src/images/layers.ts';
import type { ImageConfig, Index, Manifest } from '../src/images/oci.ts';
import { blobPath, problemsOf } from '../src/images/verify-layout.ts';
import { build, components, remove, temporaryFolder, whyNotBuilt } from './images-build.ts';

const run = promisify(execFile);
const whyNot = await whyNotBuilt();
const whyNotBoth = (await whyNotBuilt('amd64')) || (await whyNotBuilt('arm64'));
const driver = 'hostpath-driver';

it('has every program that the driver runs in the driver’s image', async () => {
  const folder = join(ROOT, 'packages', driver, 'src');
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const text = (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
  const fileSystems = /FILE_SYSTEMS = \[(.*)\] as const/.exec(text)?.[1]?.match(/\w+/g) ?? [];
  const named = [...text.matchAll(/\b(?:run|runBound|spawn)\((?:'([\w.]+)'|`([\w.]+)\$\{type\}`|TOOL\b)/g)].flatMap(([, plain, prefix]) => {
    if (prefix !== undefined) return fileSystems.map((type) => prefix + type);
    return plain ?? /const TOOL = '(\w+)'/.exec(text)?.[1] ?? [];
  });
  expect([...new Set(named)].sort()).toEqual([...TOOL_PROGRAMS].sort());
});

describe.skipIf(whyNot !== '')(`images${whyNot}`, { timeout: 120_000 }, () => {
  let out: string;
  let images: BuiltImage[];

  beforeAll(async () => {
    out = await temporaryFolder();
    images = await build(out);
  }, 240_000);

  afterAll(() => remove(out));

  const layout = (): string => join(out, 'oci');
  const json = async <T>(digest: string): Promise<T> => JSON.parse(await readFile(blobPath(layout(), digest), 'utf8')) as T;
  const manifestOf = (image: BuiltImage): Promise<Manifest> => json(image.manifest.digest);
  const imageOf = (name: string): BuiltImage => images.find(({ component }) => component.name === name)!;

  it('are a valid layout', async () => {
    expect(await problemsOf(layout())).toEqual([]);
    const index = JSON.parse(await readFile(join(layout(), 'index.json'), 'utf8')) as Index;
    const names = index.manifests.flatMap(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] ?? []);
    expect(names).toEqual(components.map(imageName));
  });

  it('are told from a layout that is damaged', async () => {
    const damaged = await temporaryFolder();
    try {
      await cp(layout(), damaged, { recursive: true });
      const { digest } = imageOf(driver).layers.at(-1)!.descriptor;
      await appendFile(blobPath(damaged, digest), 'x');
      const { config } = await manifestOf(imageOf('snapshot-controller'));
      await rm(blobPath(damaged, config.digest));
      await writeFile(join(damaged, 'blobs', 'sha256', '0'.repeat(64)), 'nobody wants this');
      const problems = (await problemsOf(damaged)).join('\n');
      expect(problems).toMatch(new RegExp(`${driver}:0.1.0: ${digest} has \\d+ bytes, and its descriptor says \\d+`));
      expect(problems).toContain(`the content of ${digest} has another digest`);
      expect(problems).toContain(`snapshot-controller:0.1.0: the blob ${config.digest} (application/vnd.oci.image.config.v1+json) is missing`);
      expect(problems).toContain(`the blob ${'0'.repeat(64)} belongs to nothing`);
    } finally {
      await remove(damaged);
    }
  });

  it('are the same when they are built again', async () => {
    const again = await temporaryFolder();
    try {
      const digests = (built: readonly BuiltImage[]): object =>
        Object.fromEntries(built.map(({ component, layers }) => [component.name, layers.map(({ diffId }) => diffId)]));
      expect(digests(await build(again))).toEqual(digests(images));
      const files = ['oci/index.json', ...(await readdir(out)).filter((name) => name.endsWith('.tar'))];
      for (const name of files) expect((await readFile(join(again, name))).equals(await readFile(join(out, name))), name).toBe(true);
      expect(await readdir(join(again, 'oci', 'blobs', 'sha256'))).toEqual(await readdir(join(layout(), 'blobs', 'sha256')));
    } finally {
      await remove(again);
    }
  });

  it('share the layer with Node, and run without rights unless they mount', async () => {
    expect(new Set(images.map(({ layers }) => layers[0]?.diffId)).size).toBe(1);
    for (const image of images) {
      const { config, annotations } = await manifestOf(image);
      const { config: settings } = await json<ImageConfig>(config.digest);
      expect(settings.User).toBe(image.component.name === driver ? '0:0' : '65532:65532');
      expect(settings.Entrypoint).toEqual(['/usr/bin/node', ...NODE_FLAGS, '/app/main.js']);
      expect(settings.Labels).toEqual(annotations);
      expect(settings.Labels).toMatchObject({
        'org.opencontainers.image.version': '0.1.0',
        'org.opencontainers.image.revision': 'f00d',
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.title': image.component.name,
      });
    }
  });

  it('hold no time, no owner but root and the user, and no program that takes another’s rights', async () => {
    for (const layer of imageOf(driver).layers) {
      const { stdout } = await run(
        'tar',
        ['--list', '--verbose', '--gzip', '--numeric-owner', '--utc', '--full-time', '--file', blobPath(layout(), layer.descriptor.digest)],
        {
          maxBuffer: 2 ** 24,
        },
      );
      for (const line of stdout.trimEnd().split('\n')) {
        const [mode = '', owner = '', , day = ''] = line.trim().split(/\s+/);
        expect(day, line).toBe('1970-01-01');
        expect(['0/0', '65532/65532'], line).toContain(owner);
        expect(mode.slice(1, 7), line).not.toMatch(/s/i);
      }
    }
  });

  it('have a bill of materials, which is attached to them too', async () => {
    const index = JSON.parse(await readFile(join(layout(), 'index.json'), 'utf8')) as Index;
    const attached = index.manifests.filter(({ artifactType }) => artifactType === 'application/spdx+json');
    expect(attached).toHaveLength(images.length);
    const artifacts = await Promise.all(attached.map(({ digest }) => json<Manifest>(digest)));
    for (const { component, manifest, platform } of images) {
      const text = await readFile(join(out, 'sbom', `${component.name}-${platform.slice('linux/'.length)}.spdx.json`), 'utf8');
      const { layers } = artifacts.find(({ subject }) => subject?.digest === manifest.digest)!;
      expect(await readFile(blobPath(layout(), layers[0]!.digest), 'utf8')).toBe(text);
      const document = JSON.parse(text) as { packages: { SPDXID: string; externalRefs: { referenceLocator: string }[] }[]; relationships: unknown[] };
      const purls = document.packages.map(({ externalRefs }) => externalRefs[0]?.referenceLocator ?? '');
      expect(new Set(document.packages.map(({ SPDXID }) => SPDXID)).size).toBe(document.packages.length);
      expect(document.relationships).toHaveLength(document.packages.length);
      for (const wanted of ['pkg:npm/node-linux-', `pkg:generic/openssl@${process.versions.openssl}`, 'pkg:npm/pino@', 'pkg:deb/debian/libc6@'])
        expect(
          purls.some((purl) => purl.startsWith(wanted)),
          wanted,
        ).toBe(true);
      expect(purls.some((purl) => purl.startsWith('pkg:deb/debian/xfsprogs@'))).toBe(component.needsTools);
      expect(purls.some((purl) => purl.startsWith('pkg:npm/%40grpc/grpc-js@'))).toBe(
        component.package !== 'snapshot-controller' && component.package !== 'webhook',
      );
    }
  });

  it('come as one archive that `docker load` and containerd read, with shared layers once', async () => {
    const [archive = ''] = (await readdir(out)).filter((name) => name.endsWith('.tar'));
    const { stdout } = await run('tar', ['--list', '--file', join(out, archive)]);
    const names = stdout.trimEnd().split('\n');
    expect(new Set(names).size).toBe(names.length);
    const { stdout: text } = await run('tar', ['--extract', '--to-stdout', '--file', join(out, archive), 'manifest.json']);
    const manifest = JSON.parse(text) as { Config: string; RepoTags: string[]; Layers: string[] }[];
    expect(manifest.flatMap(({ RepoTags }) => RepoTags)).toEqual(components.map(imageName));
    for (const { Config, Layers } of manifest) expect(names).toEqual(expect.arrayContaining([Config, ...Layers]));
    expect(new Set(manifest.map(({ Layers }) => Layers[0])).size).toBe(1);
  });

  it('are what images/Dockerfile makes of the same layers', async () => {
    const context = await writeContext(out, images);
    const text = await readFile(DOCKERFILE, 'utf8');
    const stages = new Map(
      text
        .split(/^FROM /m)
        .slice(1)
        .map((stage) => [/ AS (\S+)/.exec(stage)![1]!, stage]),
    );
    for (const image of images) {
      const { component, platform, layers } = image;
      const words = buildxArguments(image, [platform], context, out, { created: '2026-01-02T03:04:05Z', revision: 'f00d' });
      const stage = stages.get(words[words.indexOf('--target') + 1]!)!;
      const { config } = await json<ImageConfig>((await manifestOf(image)).config.digest);
      expect(/^USER (.*)$/m.exec(stage)?.[1]).toBe(config.User);
      expect(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(stage)![1]!)).toEqual(config.Entrypoint);
      const added = [...`${stages.get('base')!}${stage}`.matchAll(/^ADD (\S+) \/$/gm)].map(([, path]) =>
        path!.replace('${TARGETARCH}', platform.slice('linux/'.length)).replace('${COMPONENT}', component.name),
      );
      const contents = await Promise.all(added.map((path) => readFile(join(context, path))));
      const blobs = await Promise.all(layers.map(({ descriptor }) => readFile(blobPath(layout(), descriptor.digest))));
      expect(contents.map((content, i) => content.equals(blobs[i]!))).toEqual(layers.map(() => true));
    }
  });

  it.skipIf(whyNotBoth !== '')(`can be compressed by zstd, for two platforms at once, with an index a name${whyNotBoth}`, async () => {
    const both = await temporaryFolder();
    try {
      const chosen = components.filter(({ name }) => name === 'snapshot-controller');
      const built = await build(both, { components: chosen, platforms: ['linux/amd64', 'linux/arm64'], compression: { kind: 'zstd', level: 1 } });
      expect(await problemsOf(join(both, 'oci'))).toEqual([]);
      const own = built.filter(({ withoutCodeCache }) => withoutCodeCache === undefined);
      expect(own.map(({ platform }) => platform)).toEqual([defaultPlatform()]);
      const index = JSON.parse(await readFile(join(both, 'oci', 'index.json'), 'utf8')) as Index;
      expect(index.manifests.map(({ mediaType }) => mediaType)).toEqual([
        'application/vnd.oci.image.index.v1+json',
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.manifest.v1+json',
      ]);
    } finally {
      await remove(both);
    }
  });
});

describe('npm run images', () => {
  const main = join(ROOT, 'tools', 'src', 'images', 'main.ts');
  const images = async (args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<{ code: number; err: string; out: string }> => {
    const words = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', main, ...args];
    return run(process.execPath, words, { env }).then(
      ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
      (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, out: error.stdout, err: error.stderr }),
    );
  };

  it('says what there is when asked for what there is not', async () => {
    expect(await images(['--component=etcd'])).toMatchObject({
      code: 2,
      err: expect.stringContaining(COMPONENTS.map(({ name }) => name).join(', ')) as string,
    });
    expect(await images(['--platform=windows/amd64'])).toMatchObject({ code: 2, err: expect.stringContaining('linux/amd64, linux/arm64') as string });
    expect(await images(['--compression=rar'])).toMatchObject({ code: 2, err: expect.stringContaining('neither gzip nor zstd') as string });
  });

  it('says what is missing for docker and kind before it builds anything', async () => {
    const without = { PATH: '/nonexistent' };
    expect(await images(['--docker', '--load=demo'], without)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^error: docker is not installed; kind is not installed \(without --docker and --load/) as string,
    });
    expect((await images(['--load=demo'], { ...without, KIND_EXPERIMENTAL_PROVIDER: 'podman' })).err).toMatch(/^error: kind is not installed \(/);
  });

  // What docker and kind are asked is written down by programs that stand in for them: neither runs where tests run.
  it.skipIf(whyNot !== '')(`hands docker and kind what it built${whyNot}`, { timeout: 120_000 }, async () => {
    const folder = await temporaryFolder();
    try {
      for (const program of ['docker', 'kind']) {
        await writeFile(join(folder, program), `#!/bin/sh\necho "${program} $*" >>${folder}/asked\n`, { mode: 0o755 });
      }
      const out = join(folder, 'out');
      const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
      const { code, err } = await images([`--out=${out}`, '--component=hostpath-driver', '--start-time=false', '--docker', '--load=demo'], env);
      expect(code, err).toBe(0);
      const asked = (await readFile(join(folder, 'asked'), 'utf8')).trimEnd().split('\n');
      expect(asked.slice(-2)).toEqual([
        expect.stringMatching(
          /^docker buildx build --file .*images\/Dockerfile --target with-tools .* --tag ghcr.io\/snapshot-stack\/hostpath-driver:0.1.0 .* --load .*\/out\/docker$/,
        ),
        `kind load image-archive ${out}/snapshot-stack-${defaultPlatform().slice('linux/'.length)}.tar --name demo`,
      ]);
      expect(await readdir(out)).toEqual(expect.arrayContaining(['docker', 'oci', 'sbom', 'maps']));
    } finally {
      await remove(folder);
    }
  });
});
