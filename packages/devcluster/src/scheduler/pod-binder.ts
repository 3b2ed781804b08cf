// Gives a pod its node: by the binding subresource, as schedulers do. Small API servers do not serve it and take the
// node's name in the pod instead, which a full one refuses; discovery tells which of them this is.
import { pods, type Pod } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';
import { patchSeen, type Context } from '../context.ts';

export class PodBinder {
  #served: Promise<boolean> | undefined;

  async bind(pod: Pod, node: string, context: Context, signal: AbortSignal): Promise<void> {
    if (!(await this.#servesBinding(context.client))) {
      return await patchSeen(context, pods, context.caches.pods, pod, { spec: { nodeName: node } }, { signal });
    }
    const { namespace, name, uid } = pod.metadata;
    const target = { apiVersion: 'v1', kind: 'Node', name: node };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { namespace, name, uid }, target };
    await context.client.raw('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, { body, signal });
  }

  /** Asked once; a question that failed is asked again. */
  #servesBinding(client: Client): Promise<boolean> {
    this.#served ??= client.raw('GET', '/api/v1').then(
      ({ body }) => (body as { resources: { name: string }[] }).resources.some(({ name }) => name === 'pods/binding'),
      (error: unknown) => {
        this.#served = undefined;
        throw error;
      },
    );
    return this.#served;
  }
}
