// The bill of materials of one image, as SPDX 2.3 in JSON: the npm packages in the bundle, Node, and Debian's packages.
// Source: https://spdx.github.io/spdx-spec/v2.3/
import { SOURCE, VERSION, imageName, type Architecture, type Component } from './components.ts';
import type { DebianPackage } from './debian-packages.ts';
import { librariesIn } from './node-binary.ts';
import type { NpmPackage } from './npm-packages.ts';
import type { Stamp } from './oci.ts';

export interface Materials {
  npm: readonly NpmPackage[];
  debian: readonly DebianPackage[];
  node: { version: string; package: string };
  /** Digests of the layers' archives, which tell images apart. */
  diffIds: readonly string[];
}

interface SpdxPackage {
  SPDXID: string;
  name: string;
  versionInfo: string;
  downloadLocation: string;
  licenseConcluded: string;
  licenseDeclared: string;
  licenseComments?: string;
  copyrightText: string;
  filesAnalyzed: false;
  primaryPackagePurpose?: string;
  checksums?: readonly { algorithm: string; checksumValue: string }[];
  externalRefs: readonly { referenceCategory: string; referenceType: string; referenceLocator: string }[];
}

interface Document {
  spdxVersion: string;
  dataLicense: string;
  SPDXID: string;
  name: string;
  documentNamespace: string;
  creationInfo: { created: string; creators: readonly string[] };
  packages: readonly SpdxPackage[];
  relationships: readonly { spdxElementId: string; relationshipType: string; relatedSpdxElement: string }[];
}

/** An identifier may hold letters, digits, `.` and `-` only. */
function idOf(...parts: readonly string[]): string {
  return `SPDXRef-${parts.join('-').replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;
}

function purl(locator: string): SpdxPackage['externalRefs'] {
  return [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator }];
}

// What npm packages declare is an SPDX expression when it has only the words of one.
const EXPRESSION = /^[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$/;
const UNSAID = { licenseConcluded: 'NOASSERTION', copyrightText: 'NOASSERTION', filesAnalyzed: false } as const;

function npmPackage({ name, version, license }: NpmPackage): SpdxPackage {
  const declared = license.replaceAll(/^\(|\)$/g, '');
  return {
    SPDXID: idOf('npm', name, version),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    ...UNSAID,
    licenseDeclared: EXPRESSION.test(declared) ? declared : 'NOASSERTION',
    externalRefs: purl(`pkg:npm/${name.replace('@', '%40')}@${version}`),
  };
}

function debianPackage({ name, source, version, architecture, sha256 }: DebianPackage): SpdxPackage {
  const origin = source === name ? '' : `&upstream=${encodeURIComponent(source)}`;
  return {
    SPDXID: idOf('deb', name),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    ...UNSAID,
    licenseDeclared: 'NOASSERTION',
    licenseComments: `see /licenses/debian/${name}/copyright in the image`,
    checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }],
    externalRefs: purl(`pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-12${origin}`),
  };
}

function nodePackage({ version, package: name }: Materials['node']): SpdxPackage {
  return {
    SPDXID: idOf('node', version),
    name: 'node',
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    ...UNSAID,
    licenseDeclared: 'MIT',
    licenseComments: 'with the licences of what it is built from: see /licenses/node/LICENSE in the image',
    externalRefs: [
      ...purl(`pkg:npm/${name}@${version}`),
      { referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*` },
    ],
  };
}

/** A library that is built into Node: scanners know advisories by its name. */
function builtIn([name, version]: readonly [string, string]): SpdxPackage {
  return {
    SPDXID: idOf('node-library', name),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    ...UNSAID,
    licenseDeclared: 'NOASSERTION',
    licenseComments: 'built into node: see /licenses/node/LICENSE in the image',
    externalRefs: purl(`pkg:generic/${name}@${encodeURIComponent(version)}`),
  };
}

/** The same image at the same commit gives the same document. */
export function sbomOf(component: Component, architecture: Architecture, materials: Materials, stamp: Stamp): Document {
  const image: SpdxPackage = {
    SPDXID: idOf('image'),
    name: imageName(component),
    versionInfo: VERSION,
    downloadLocation: SOURCE,
    ...UNSAID,
    licenseDeclared: 'Apache-2.0',
    primaryPackagePurpose: 'CONTAINER',
    externalRefs: purl(`pkg:oci/${component.name}?repository_url=${imageName(component).replace(/:[^:]*$/, '')}&tag=${VERSION}&arch=${architecture}`),
  };
  const libraries = [...librariesIn(materials.node.version)].map(builtIn);
  const parts = [nodePackage(materials.node), ...libraries, ...materials.debian.map(debianPackage), ...materials.npm.map(npmPackage)];
  const identity = materials.diffIds.at(-1)?.slice('sha256:'.length, 'sha256:'.length + 16) ?? '';
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${component.name}-${VERSION}-${architecture}`,
    documentNamespace: `${SOURCE}/spdx/${component.name}-${VERSION}-${architecture}-${identity}`,
    creationInfo: { created: stamp.created, creators: ['Organization: snapshot-stack', `Tool: snapshot-stack-images-${VERSION}`] },
    packages: [image, ...parts],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: image.SPDXID },
      ...parts.map(({ SPDXID }) => ({ spdxElementId: image.SPDXID, relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID })),
    ],
  };
}
