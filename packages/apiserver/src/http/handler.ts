// From a request to an answer: authentication, authorization, the resource and the verb, and a Status for all
// that goes wrong. One function per kind of request; the rules are elsewhere.
import { ServerResponse, type IncomingMessage } from 'node:http';
import { parseJson, stringifyJson, type KubeObject, type Status } from '@snapshot-stack/api-types';
import type { Access } from '../auth/access.ts';
import type { Reviews } from '../auth/reviews.ts';
import { scaleOf, withScale } from '../crd/scale.ts';
import type { Presenter } from '../crd/presenter.ts';
import { inVersion } from '../crd/versions.ts';
import * as discovery from '../discovery/discovery.ts';
import type { Faults } from '../faults/faults.ts';
import { getObject, listObjects, selectorOf, type ListResult } from '../list/reader.ts';
import { partialOf, tableOf } from '../list/table.ts';
import { serveWatch, type Show } from '../list/watcher.ts';
import { OPENAPI_V2, OpenApi } from '../openapi/document.ts';
import type { ManagedFields } from '../managed-fields/managed-fields.ts';
import { APPLY_PATCH, applyPatch, checkPatchType, parseApplyConfig, strictApplyFault } from '../patch/apply-patch.ts';
import type { Catalogue } from '../registry/catalogue.ts';
import { groupVersionOf, storageKeyOf, type ResourceDefinition, type Verb } from '../registry/resource.ts';
import { keyFor, type DeleteRequest, type User, type WriteContext, type Writer } from '../registry/writer.ts';
import { StatusError, badRequest, conflict, methodNotAllowed, resourceNotFound, invalid, notFound } from '../status.ts';
import type { FieldError } from '../schema/field-error.ts';
import type { JsonObject } from '../schema/schema.ts';
import { Entry, type Store } from '../store/store.ts';
import { negotiate, type Form } from './accept.ts';
import { BODY_BYTES_MAX, readBody, sendBody } from './body.ts';
import { checkPatchOptions, checkPatched, checkWriteOptions, decodeBody, type FieldValidation } from './decode.ts';
import { readDeleteOptions } from './delete-options.ts';
import { bound } from '../builtin/kinds/binding.ts';
import { parseResourcePath, type ResourcePath } from './request-info.ts';
import type { RequestLog } from './request-log.ts';

const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0',
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '2026-04-22T00:00:00Z',
  goVersion: 'go1.26',
  compiler: 'snapshot-stack',
  platform: 'linux/amd64',
};

export interface HandlerOptions {
  store: Store;
  /** Shows stored objects in the version of a request. */
  presenter: Presenter;
  catalogue: Catalogue;
  writer: Writer;
  access: Access;
  reviews: Reviews;
  fields: ManagedFields;
  log: RequestLog;
  faults: Faults;
  /** host:port, as discovery shows it. */
  address: () => string;
  /** Called after a CustomResourceDefinition was written. */
  onDefinitions: () => Promise<void>;
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  path: string;
  user: User;
}

interface ResourceCall extends Call {
  definition: ResourceDefinition;
  target: ResourcePath;
  verb: Verb;
}

export class Handler {
  readonly #options: HandlerOptions;
  readonly #openApi: OpenApi;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#openApi = new OpenApi(() => options.catalogue.all());
  }

  /** Answers one request, whatever happens. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = this.#options.log.start(request, response);
    try {
      const url = new URL(request.url ?? '/', 'https://server');
      const user = this.#options.access.authenticate(request);
      record.user = user.name;
      const times = await this.#options.faults.beforeRequest(record, request, response);
      const acting = this.#options.access.admit(request, url, user);
      const call = { request, response, query: url.searchParams, path: url.pathname, user: acting };
      // Whatever becomes of the first, the client only hears of the second.
      if (times === 'twice') await this.#route({ ...call, response: new ServerResponse(request) }).catch(() => {});
      await this.#route(call);
    } catch (error) {
      await this.#fail(request, response, error);
    }
  }

  async #fail(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const status = error instanceof StatusError ? error.status : unexpected(error);
    const retryAfter = status.details?.retryAfterSeconds;
    if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter));
    await sendBody(request, response, status.code ?? 500, 'application/json', `${stringifyJson(status)}\n`);
    // Node reads what is left of a body away, so that the client gets the answer; of an endless one it shall not.
    if (!request.complete && !(Number(request.headers['content-length']) <= BODY_BYTES_MAX)) response.once('finish', () => request.destroy());
  }

  async #route(call: Call): Promise<void> {
    const fixed = await this.#fixedPath(call);
    if (fixed !== undefined) {
      await sendBody(call.request, call.response, 200, fixed.contentType, fixed.text);
      return;
    }
    const target = parseResourcePath(call.path);
    if (target === undefined) return this.#noSuchPath(call);
    const definition = this.#options.catalogue.find(target.group, target.version, target.plural);
    if (definition === undefined) {
      if (target.group !== '' && !this.#builtinGroup(target.group)) return this.#noSuchPath(call);
      throw resourceNotFound();
    }
    if (!definition.namespaced && target.namespace !== undefined) throw resourceNotFound();
    if (definition.custom && definition.namespaced && target.namespace === undefined && call.request.method === 'POST') return this.#noSuchPath(call);
    if (target.subresource !== undefined && !this.#hasSubresource(definition, target.subresource)) {
      throw definition.custom ? notFound({ group: definition.group, kind: definition.plural }, target.name ?? '') : resourceNotFound();
    }
    if (definition.deprecationWarning !== undefined) call.response.appendHeader('Warning', warningHeader(definition.deprecationWarning));
    await this.#resource({ ...call, definition, target, verb: verbOf(call, target) });
  }

  #builtinGroup(group: string): boolean {
    return this.#options.catalogue.all().some((definition) => definition.group === group && !definition.custom);
  }

  #hasSubresource(definition: ResourceDefinition, subresource: string): boolean {
    if (subresource === 'status') return definition.strategy.hasStatus;
    if (subresource === 'finalize') return definition.plural === 'namespaces' && definition.group === '';
    return definition.subresources.includes(subresource);
  }

  async #noSuchPath({ request, response }: Call): Promise<void> {
    await sendBody(request, response, 404, 'text/plain; charset=utf-8', '404 page not found\n');
  }

  async #fixedPath({ path, request }: Call): Promise<{ contentType: string; text: string } | undefined> {
    const json = (body: object | undefined): { contentType: string; text: string } | undefined =>
      body === undefined ? undefined : { contentType: 'application/json', text: `${stringifyJson(body)}\n` };
    const { catalogue, address } = this.#options;
    const trimmed = path.replace(/(.)\/$/, '$1');
    const wantsAggregated =
      /;as=APIGroupDiscoveryList/.test(String(request.headers.accept ?? '')) && /v=v2[,;\s]|v=v2$/.test(String(request.headers.accept ?? ''));
    const discoveryType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    if (trimmed === '/openapi/v3') return { contentType: 'text/plain; charset=utf-8', text: JSON.stringify(await this.#openApi.index()) };
    if (trimmed.startsWith('/openapi/v3/')) {
      const text = await this.#openApi.document(trimmed.slice('/openapi/v3/'.length));
      return text === undefined ? undefined : { contentType: 'application/json', text };
    }
    switch (trimmed) {
      case '/openapi/v2':
        return json(OPENAPI_V2);
      case '/':
        return json(discovery.rootPaths(catalogue));
      case '/healthz':
      case '/livez':
      case '/readyz':
      case '/healthz/ping':
      case '/livez/ping':
      case '/readyz/ping':
        return { contentType: 'text/plain; charset=utf-8', text: 'ok' };
      case '/version':
        return json(VERSION);
      case '/api':
        return wantsAggregated
          ? { contentType: discoveryType, text: stringifyJson(discovery.aggregated(catalogue, true)) }
          : json(discovery.apiVersions(address()));
      case '/apis':
        return wantsAggregated
          ? { contentType: discoveryType, text: stringifyJson(discovery.aggregated(catalogue, false)) }
          : json(discovery.groupList(catalogue));
    }
    const [, root, first, second, more] = trimmed.split('/');
    if (root === 'api' && first !== undefined && second === undefined) return json(discovery.resourceList(catalogue, '', first));
    if (root !== 'apis' || first === undefined || more !== undefined) return undefined;
    return json(second === undefined ? discovery.group(catalogue, first) : discovery.resourceList(catalogue, first, second));
  }

  async #resource(call: ResourceCall): Promise<void> {
    const { verb, definition } = call;
    if (!definition.verbs.includes(verb)) throw methodNotAllowed();
    switch (verb) {
      case 'get':
        return this.#get(call);
      case 'list':
        return this.#list(call);
      case 'watch':
        return this.#watch(call);
      case 'create':
        return this.#create(call);
      case 'update':
        return this.#update(call);
      case 'patch':
        return this.#patch(call);
      case 'delete':
        return this.#delete(call);
      case 'deletecollection':
        return this.#deleteCollection(call);
    }
  }

  async #get({ definition, target, request, response, query }: ResourceCall): Promise<void> {
    const entry = getObject(this.#options.store, definition, target.namespace, target.name ?? '', query);
    const form = negotiate(request.headers.accept, query);
    if (target.subresource === 'scale')
      return this.#send({ request, response }, 200, form, shownScale(definition, await this.#options.presenter.present(definition, entry.object)));
    const shown = await this.#options.presenter.present(definition, entry.object);
    if (shown === entry.object && form.kind === 'object' && form.mediaType === 'application/json') {
      return sendBody(request, response, 200, 'application/json', `${entry.json}\n`);
    }
    await this.#send({ request, response }, 200, form, shown, definition);
  }

  /** Sends one object in the form that was asked for. */
  async #send(
    { request, response }: Pick<Call, 'request' | 'response'>,
    status: number,
    form: Form,
    object: KubeObject,
    definition?: ResourceDefinition,
  ): Promise<void> {
    if (form.kind === 'object') {
      const text = form.mediaType === 'application/yaml' ? await yamlText(object) : `${stringifyJson(object)}\n`;
      return sendBody(request, response, status, form.mediaType, text);
    }
    const { resourceVersion } = object.metadata;
    const metadata = resourceVersion === undefined ? {} : { resourceVersion };
    const shown =
      form.kind === 'partial' || definition === undefined
        ? partialOf(object)
        : tableOf(definition, [object], { includeObject: form.includeObject, nowMs: Date.now(), metadata });
    await sendBody(request, response, status, 'application/json', `${stringifyJson(shown)}\n`);
  }

  async #list(call: ResourceCall): Promise<void> {
    const form = negotiate(call.request.headers.accept, call.query);
    const result = this.#options.faults.list(call.definition, () => listObjects(this.#options.store, call.definition, call.target.namespace, call.query));
    if (form.kind === 'object' && form.mediaType === 'application/json') {
      return sendBody(call.request, call.response, 200, 'application/json', listText(await this.#converted(result)));
    }
    await this.#sendList(call, result, form);
  }

  /** The list in its version, as far as that takes a webhook. */
  async #converted(result: ListResult): Promise<ListResult> {
    const { presenter } = this.#options;
    if (!result.entries.some((entry) => presenter.needsWebhook(result.definition, entry.object))) return result;
    const entries = await Promise.all(
      result.entries.map(async (entry) => new Entry(entry.key, await presenter.present(result.definition, entry.object), entry.revision)),
    );
    return { ...result, entries };
  }

  async #sendList({ request, response, definition }: ResourceCall, result: ListResult, form: Form): Promise<void> {
    if (form.kind === 'object') {
      const list = parseJson(listText(await this.#converted(result))) as KubeObject;
      return sendBody(request, response, 200, form.mediaType, await yamlText(list));
    }
    const objects = await Promise.all(result.entries.map((entry) => this.#options.presenter.present(definition, entry.object)));
    const metadata = listMetadata(result);
    const shown =
      form.kind === 'table'
        ? tableOf(definition, objects, { includeObject: form.includeObject, nowMs: Date.now(), metadata })
        : { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: objects.map(partialOf) };
    await sendBody(request, response, 200, 'application/json', `${stringifyJson(shown)}\n`);
  }

  #watch(call: ResourceCall): Promise<void> {
    const { definition, target, query, response } = call;
    const matches = selectorOf(definition, query, target.name);
    serveWatch({
      store: this.#options.store,
      definition,
      namespace: target.namespace,
      query,
      matches,
      response,
      show: watchShow(definition, negotiate(call.request.headers.accept, query), this.#options.presenter),
      onOpen: (cut) => this.#options.faults.watching(definition, cut),
    });
    return Promise.resolve();
  }

  async #create(call: ResourceCall): Promise<void> {
    const { definition, target } = call;
    if (definition.origin?.metadata.deletionTimestamp !== undefined) throw terminating(definition);
    if (this.#options.reviews.answers(definition.group) || target.subresource === 'token') return this.#review(call);
    if (target.subresource === 'binding') return this.#bind(call);
    if (definition.namespaced && target.namespace === undefined) throw methodNotAllowed();
    if (target.name !== undefined && !definition.custom) throw methodNotAllowed();
    const body = await this.#object(call, 'CreateOptions');
    const written = await this.#options.writer.create(
      this.#stored(definition),
      target.namespace,
      storedForm(definition, body),
      this.#context(call, 'CreateOptions'),
      target.name,
    );
    await this.#answer(call, 201, written.object);
  }

  /** What a scheduler does: gives a pod its node, once. */
  async #bind(call: ResourceCall): Promise<void> {
    const { definition, target, request, response } = call;
    const binding = await this.#object(call, 'CreateOptions');
    const name = target.name ?? '';
    await this.#options.writer.update(definition, target.namespace, name, 'binding', (pod) => bound(pod, binding), this.#context(call, 'CreateOptions'));
    const status: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
    await sendBody(request, response, 201, 'application/json', `${stringifyJson(status)}\n`);
  }

  /** Questions are answered and forgotten. */
  async #review(call: ResourceCall): Promise<void> {
    const { definition, target, user } = call;
    if (target.subresource === 'token') {
      const answer = this.#options.reviews.requestToken(await this.#object(call, 'CreateOptions'), target.namespace ?? '', target.name ?? '');
      return this.#send(call, 201, negotiate(call.request.headers.accept, call.query), answer);
    }
    if (definition.namespaced && target.namespace === undefined) throw methodNotAllowed();
    const answer = this.#options.reviews.answer(await this.#object(call, 'CreateOptions'), user, target.namespace);
    await this.#send(call, 201, negotiate(call.request.headers.accept, call.query), answer);
  }

  /** The resource that stores the objects of this one: mostly itself. */
  #stored(definition: ResourceDefinition): ResourceDefinition {
    const { view, plural } = definition;
    return view === undefined ? definition : (this.#options.catalogue.find(view.group, view.version, plural) ?? definition);
  }

  async #update(call: ResourceCall): Promise<void> {
    const { definition, target } = call;
    if (target.name === undefined) throw definition.custom ? badRequest('name must be provided') : methodNotAllowed();
    const body = await this.#object(call, 'UpdateOptions');
    const { name } = body.metadata;
    if (name !== undefined && name !== '' && name !== target.name)
      throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
    body.metadata.name = target.name;
    const unversioned = (body.metadata.resourceVersion ?? '') === '';
    const exists = this.#options.store.collection(storageKeyOf(definition)).get(keyFor(target.namespace, target.name)) !== undefined;
    if (!exists && definition.strategy.allowsCreateOnUpdate === true && unversioned) {
      const written = await this.#options.writer.create(
        this.#stored(definition),
        target.namespace,
        storedForm(definition, body),
        this.#context(call, 'UpdateOptions'),
      );
      return this.#answer(call, 201, written.object);
    }
    if (exists && unversioned && target.subresource !== 'scale' && definition.strategy.allowsUnconditionalUpdate !== true) {
      throw invalidVersion(definition, target.name);
    }
    const replace = (current: KubeObject): KubeObject => {
      if (target.subresource === 'scale') return rescaled(definition, current, body);
      return target.subresource === 'finalize' ? finalized(current, body) : storedForm(definition, body);
    };
    const written = await this.#options.writer.update(
      this.#stored(definition),
      target.namespace,
      target.name,
      target.subresource,
      replace,
      this.#context(call, 'UpdateOptions'),
    );
    await this.#answer(call, 200, written.object);
  }

  async #patch(call: ResourceCall): Promise<void> {
    const { definition, target, request } = call;
    const { name } = target;
    if (name === undefined) throw methodNotAllowed();
    const contentType = mediaTypeOf(request);
    checkPatchType(contentType, definition);
    const text = (await readBody(request)).toString('utf8');
    const fieldValidation = checkPatchOptions(call.query, contentType === APPLY_PATCH);
    if (contentType === APPLY_PATCH) return this.#apply(call, name, text, fieldValidation);
    const warn = (message: string): void => void call.response.appendHeader('Warning', warningHeader(message));
    const change = (current: KubeObject): KubeObject => {
      if (target.subresource === 'scale')
        return rescaled(definition, current, applyPatch({ contentType, text, current: shownScale(definition, current), definition }));
      const patched = applyPatch({ contentType, text, current: definition.view?.show(current) ?? current, definition });
      checkTarget(patched, name, target.namespace);
      checkPatched(patched, definition, text, { fieldValidation, warn });
      return storedForm(definition, patched);
    };
    const written = await this.#options.writer.update(
      this.#stored(definition),
      target.namespace,
      name,
      target.subresource,
      change,
      this.#context(call, 'PatchOptions'),
    );
    await this.#answer(call, 200, written.object);
  }

  /** Server-side apply: creates what is missing. */
  async #apply(call: ResourceCall, name: string, text: string, fieldValidation: FieldValidation): Promise<void> {
    const { definition, target } = call;
    const context = { ...this.#context(call, 'PatchOptions'), fieldManager: undefined };
    const common = { definition, manager: call.query.get('fieldManager') ?? '', force: call.query.get('force') === 'true', subresource: target.subresource };
    // Who owns which field is known in the words of the stored kind only.
    if (definition.view !== undefined) throw methodNotAllowed();
    const config = await parseApplyConfig(text);
    const fault = fieldValidation === 'Ignore' ? undefined : await strictApplyFault(text);
    if (fault !== undefined && fieldValidation === 'Strict') throw badRequest(`error strict decoding YAML: ${fault}`);
    if (fault !== undefined) call.response.appendHeader('Warning', warningHeader(fault));
    const applied = (live: KubeObject | undefined): KubeObject => {
      const object = this.#options.fields.apply({ ...common, live, config });
      checkTarget(object, name, target.namespace);
      return object;
    };
    const isThere = this.#options.store.collection(storageKeyOf(definition)).get(keyFor(target.namespace, name)) !== undefined;
    if (isThere || target.subresource !== undefined) {
      const written = await this.#options.writer.update(definition, target.namespace, name, target.subresource, applied, context);
      return this.#answer(call, 200, written.object);
    }
    const object = applied(undefined);
    const { uid } = object.metadata;
    if (uid !== undefined && uid !== '')
      throw conflict(
        { group: definition.group, kind: definition.plural },
        name,
        `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
      );
    const written = await this.#options.writer.create(definition, target.namespace, object, context);
    await this.#answer(call, 201, written.object);
  }

  async #delete(call: ResourceCall): Promise<void> {
    const { definition, target } = call;
    if (target.subresource !== undefined) throw deleteNotSupported(definition);
    const [request, context] = await this.#deletion(call);
    const result = await this.#options.writer.delete(this.#stored(definition), target.namespace, target.name ?? '', request, context);
    if (definition.plural === 'customresourcedefinitions') await this.#options.onDefinitions();
    const text = result.kind === 'Status' ? stringifyJson(result as Status) : show(definition, result as KubeObject);
    await sendBody(call.request, call.response, 200, 'application/json', `${text}\n`);
  }

  async #deleteCollection(call: ResourceCall): Promise<void> {
    const { definition, target } = call;
    const [request, context] = await this.#deletion(call);
    const found = listObjects(this.#options.store, definition, target.namespace, call.query);
    for (const { object } of found.entries) {
      await this.#options.writer
        .delete(this.#stored(definition), object.metadata.namespace, object.metadata.name ?? '', request, context)
        .catch((error: unknown) => {
          if (!(error instanceof StatusError && error.status.code === 404)) throw error;
        });
    }
    if (definition.plural === 'customresourcedefinitions') await this.#options.onDefinitions();
    await sendBody(call.request, call.response, 200, 'application/json', listText(found));
  }

  /** What a DELETE asks for, and the context with its dry run. */
  async #deletion(call: ResourceCall): Promise<[DeleteRequest, WriteContext]> {
    const { dryRun = [], ...request } = await readDeleteOptions(await readBody(call.request), mediaTypeOf(call.request), call.query);
    const options = {
      kind: 'DeleteOptions',
      apiVersion: 'meta.k8s.io/v1',
      ...request,
      ...(dryRun.length === 0 ? {} : { dryRun: [...dryRun] }),
    } as unknown as JsonObject;
    return [request, { ...this.#context(call, 'DeleteOptions'), dryRun: dryRun.includes('All'), options }];
  }

  /** @param options the kind of the options that the query stands for */
  async #object({ request, response, query, definition, target }: ResourceCall, options: string): Promise<KubeObject> {
    const contentType = mediaTypeOf(request);
    const warn = (message: string): void => void response.appendHeader('Warning', warningHeader(message));
    const fieldValidation = checkWriteOptions(query, options);
    const object = await decodeBody({ contentType, bytes: await readBody(request), definition: decodedAs(definition, target), fieldValidation, warn });
    if (target.subresource === 'scale') return object;
    if (target.subresource === 'binding') return object;
    if (target.subresource === 'token') return { ...object, apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' };
    object.apiVersion = groupVersionOf(definition);
    object.kind = definition.kind;
    object.metadata ??= {};
    const { namespace } = object.metadata;
    if (namespace !== undefined && namespace !== '' && namespace !== target.namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
    if (target.namespace !== undefined && definition.namespaced) object.metadata.namespace = target.namespace;
    return object;
  }

  #context({ user, query, request, response }: ResourceCall, kind: string): WriteContext {
    const agent = String(request.headers['user-agent'] ?? 'unknown');
    const fieldManager = query.get('fieldManager') ?? (agent.split('/')[0] || 'unknown');
    const dryRun = query.getAll('dryRun');
    return {
      user,
      dryRun: dryRun.includes('All'),
      fieldManager,
      options: { kind, apiVersion: 'meta.k8s.io/v1', ...(dryRun.length === 0 ? {} : { dryRun }) },
      warn: (message) => void response.appendHeader('Warning', warningHeader(message)),
    };
  }

  async #answer({ definition, target, request, response, query }: ResourceCall, status: number, object: KubeObject): Promise<void> {
    if (definition.plural === 'customresourcedefinitions') await this.#options.onDefinitions();
    const current = await this.#options.presenter.present(definition, object);
    const shown = target.subresource === 'scale' ? shownScale(definition, current) : current;
    await this.#send({ request, response }, status, negotiate(request.headers.accept, query), shown, target.subresource === 'scale' ? undefined : definition);
  }
}

/** An object in the version that was asked for. */
function show(definition: ResourceDefinition, object: KubeObject, json?: string): string {
  const shown = inVersion(definition, object);
  return shown === object && json !== undefined ? json : stringifyJson(shown);
}

function listMetadata(result: ListResult): object {
  return {
    resourceVersion: result.resourceVersion,
    ...(result.continue === undefined ? {} : { continue: result.continue }),
    ...(result.remaining === undefined ? {} : { remainingItemCount: result.remaining }),
  };
}

async function yamlText(object: KubeObject): Promise<string> {
  const { stringify } = await import('yaml');
  // As Go writes it: texts that YAML 1.1 would take for times or booleans are quoted.
  return stringify(object, { version: '1.1', sortMapEntries: true, lineWidth: 0 });
}

/** How a watch shows an entry; undefined when it is shown as it is stored. */
function watchShow(definition: ResourceDefinition, form: Form, presenter: Presenter): Show | undefined {
  if (form.kind === 'partial') return ({ object }) => stringifyJson(partialOf(object));
  if (form.kind === 'table') {
    let withoutColumns = false;
    return ({ object }) => {
      const metadata = { resourceVersion: object.metadata.resourceVersion };
      const table = tableOf(definition, [inVersion(definition, object)], { includeObject: form.includeObject, nowMs: Date.now(), metadata, withoutColumns });
      withoutColumns = true;
      return stringifyJson(table);
    };
  }
  const { origin, view } = definition;
  if (view !== undefined) return ({ object }) => stringifyJson(view.show(object));
  if (origin === undefined || origin.spec.versions.length < 2) return undefined;
  return (entry) => {
    if (!presenter.needsWebhook(definition, entry.object)) return show(definition, entry.object, entry.json);
    return presenter.present(definition, entry.object).then(stringifyJson);
  };
}

/** What a client sent, as it is stored. */
function storedForm({ view }: ResourceDefinition, object: KubeObject): KubeObject {
  return view === undefined ? object : view.store(object);
}

const itemTexts = new WeakMap<Entry, string>();

/** An item of a list of a built-in kind: it carries no kind of its own. */
function itemText(entry: Entry): string {
  const known = itemTexts.get(entry);
  if (known !== undefined) return known;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = entry.object;
  const text = stringifyJson(rest);
  itemTexts.set(entry, text);
  return text;
}

function listText(result: ListResult): string {
  const { definition } = result;
  const metadata = listMetadata(result);
  const head = `{"kind":"${definition.listKind}","apiVersion":"${groupVersionOf(definition)}","metadata":${JSON.stringify(metadata)},"items":[`;
  const items = result.entries.map((entry) => {
    if (definition.custom) return show(definition, entry.object, entry.json);
    return definition.view === undefined ? itemText(entry) : stringifyJson(definition.view.show(entry.object));
  });
  return `${head}${items.join(',')}]}\n`;
}

function verbOf({ request, query }: Call, target: ResourcePath): Verb {
  const named = target.name !== undefined;
  const watches = query.get('watch') === 'true' || query.get('watch') === '1' || target.legacyWatch;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      if (target.legacyWatch || (watches && !named)) return 'watch';
      return named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      throw methodNotAllowed();
  }
}

function mediaTypeOf(request: IncomingMessage): string {
  return (
    String(request.headers['content-type'] ?? 'application/json')
      .split(';')[0]
      ?.trim() ?? ''
  );
}

/** The body of a scale subresource is a Scale, whatever the resource. */
function decodedAs(definition: ResourceDefinition, target: ResourcePath): ResourceDefinition {
  if (target.subresource === 'token') return { ...definition, group: 'authentication.k8s.io', kind: 'TokenRequest' };
  if (target.subresource === 'binding') return { ...definition, kind: 'Binding' };
  if (target.subresource !== 'scale') return definition;
  const { origin: _origin, scale: _scale, ...rest } = definition;
  return { ...rest, group: 'autoscaling', version: 'v1', kind: 'Scale', custom: false, schema: undefined };
}

function shownScale(definition: ResourceDefinition, object: KubeObject): KubeObject {
  if (definition.scale === undefined) throw resourceNotFound();
  return scaleOf(object as unknown as JsonObject, definition.scale) as unknown as KubeObject;
}

/** The object with the replicas of a Scale, guarded by the Scale's resourceVersion. */
function rescaled(definition: ResourceDefinition, current: KubeObject, scale: KubeObject): KubeObject {
  if (definition.scale === undefined) throw resourceNotFound();
  const next = withScale(current as unknown as JsonObject, scale as unknown as JsonObject, definition.scale) as unknown as KubeObject;
  next.metadata.resourceVersion = scale.metadata?.resourceVersion ?? '';
  return next;
}

/** The object must be the one that the URL names. */
function checkTarget({ metadata }: KubeObject, name: string, namespace: string | undefined): void {
  const given = metadata.name ?? '';
  if (given !== '' && given !== name) throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
  metadata.name = name;
  if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** PUT /finalize of a Namespace changes its spec.finalizers and nothing else. */
function finalized(current: KubeObject, body: KubeObject): KubeObject {
  return {
    ...current,
    metadata: { ...current.metadata, resourceVersion: body.metadata.resourceVersion ?? '' },
    spec: (body as { spec?: object }).spec ?? {},
  } as KubeObject;
}

function invalidVersion(definition: ResourceDefinition, name: string): StatusError {
  const message = 'Invalid value: 0: must be specified for an update';
  const error: FieldError = { reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' };
  return invalid({ group: definition.group, kind: definition.plural }, name, [error]);
}

function terminating({ group, plural }: ResourceDefinition): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'create not allowed while custom resource definition is terminating', { group, kind: plural });
}

function deleteNotSupported({ group, plural }: ResourceDefinition): StatusError {
  const subject = group === '' ? plural : `${plural}.${group}`;
  return new StatusError(405, 'MethodNotAllowed', `delete is not supported on resources of kind ${JSON.stringify(subject)}`, {
    ...(group === '' ? {} : { group }),
    kind: plural,
  });
}

function warningHeader(message: string): string {
  return `299 - ${JSON.stringify(message)}`;
}

function unexpected(error: unknown): Status & { code: number } {
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  };
}
