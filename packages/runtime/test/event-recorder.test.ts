import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { configMaps, events, persistentVolumes, type ConfigMap, type KubeEvent } from '@snapshot-stack/api-types';
import { ManualClock, createEventRecorder, type EventRecorder } from '@snapshot-stack/runtime';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { calmClient, type Calm } from './calm-client.ts';
import { eventually } from './scripted-server.ts';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({});
});
afterAll(() => api.stop());

let serial = 0;

interface World extends Calm {
  recorder: EventRecorder;
  clock: ManualClock;
  object: ConfigMap;
  say: (message: string, reason?: string) => void;
  /** The Events about the object, oldest first. */
  read: (namespace?: string) => Promise<KubeEvent[]>;
  requests: () => string[];
}

function world(): World {
  const clock = new ManualClock();
  const agent = `events-${++serial}`;
  const calm = calmClient(api.adminConnection, clock, agent);
  onTestFinished(() => calm.client.close());
  const recorder = createEventRecorder({ client: calm.client, component: 'test', clock, host: 'node-1' });
  const object: ConfigMap = { metadata: { name: agent, namespace: 'default', uid: `uid-${agent}`, resourceVersion: '7' } };
  const read = async (namespace = 'default'): Promise<KubeEvent[]> => {
    await calm.pass(0);
    const { items } = await calm.client.list(events, { namespace });
    return items.filter(({ involvedObject }) => involvedObject.name?.startsWith(agent));
  };
  const requests = (): string[] =>
    api.requests.filter(({ userAgent, resource, verb }) => userAgent === agent && resource === 'events' && verb !== 'list').map(({ verb }) => verb);
  return {
    ...calm,
    recorder,
    clock,
    object,
    say: (message, reason = 'Tested') => recorder.record(configMaps, object, 'Normal', reason, message),
    read,
    requests,
  };
}

describe('an event', () => {
  it('says who saw what of which object', async () => {
    const { say, read, object } = world();
    say('all is well');
    expect(await read()).toMatchObject([
      {
        involvedObject: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: 'default',
          name: object.metadata.name,
          uid: object.metadata.uid,
          resourceVersion: '7',
        },
        type: 'Normal',
        reason: 'Tested',
        message: 'all is well',
        count: 1,
        firstTimestamp: '2023-11-14T22:13:20Z',
        lastTimestamp: '2023-11-14T22:13:20Z',
        source: { component: 'test', host: 'node-1' },
        reportingComponent: 'test',
      },
    ]);
  });

  it('about an object without namespace goes to default, even under the longest of names', async () => {
    const { recorder, read, object } = world();
    const name = `${object.metadata.name}${'x'.repeat(253 - object.metadata.name!.length)}`;
    recorder.record(persistentVolumes, { metadata: { name } }, 'Warning', 'Tested', 'm'.repeat(5_000));
    const [event] = await read();
    expect(event).toMatchObject({ type: 'Warning', metadata: { namespace: 'default' } });
    expect(event?.message).toHaveLength(1_024);
    expect(event?.metadata.name).toHaveLength(253);
  });

  it('that is said again is counted', async () => {
    const { say, read, pass, requests } = world();
    say('all is well');
    await pass(60_000);
    say('all is well');
    say('all is well');
    expect(await read()).toMatchObject([{ count: 3, firstTimestamp: '2023-11-14T22:13:20Z', lastTimestamp: '2023-11-14T22:14:20Z' }]);
    expect(requests()).toEqual(['create', 'patch', 'patch']);
  });

  it('that has expired meanwhile is made anew', async () => {
    const { say, read, client } = world();
    say('all is well');
    const [first] = await read();
    await client.delete(events, { name: first!.metadata.name!, namespace: 'default' });
    say('all is well');
    expect(await read()).toMatchObject([{ count: 1 }]);
  });
});

describe('many events', () => {
  it('that differ only in their words become one after ten', async () => {
    const { say, read } = world();
    for (let i = 0; i < 14; i++) say(`volume ${i} is gone`);
    const found = await read();
    expect(found).toHaveLength(11);
    const combined = found.find(({ message }) => message?.startsWith('(combined'));
    expect(combined).toMatchObject({ message: '(combined from similar events): volume 13 is gone', count: 4 });
  });

  it('are told apart again after ten minutes', async () => {
    const { say, read, pass } = world();
    for (let i = 0; i < 12; i++) say(`volume ${i} is gone`);
    await pass(600_250, 10_000);
    say('volume 99 is gone');
    expect((await read()).map(({ message }) => message)).toContain('volume 99 is gone');
  });

  it('about one object are let through at 25 at once and one in five minutes, whatever others say', async () => {
    const { say, read, pass, recorder, object } = world();
    const count = async (): Promise<number> => (await read()).reduce((sum, { count = 0 }) => sum + count, 0);
    for (let i = 0; i < 60; i++) say('again', `Reason${i % 30}`);
    expect(await count()).toBe(25);
    recorder.record(configMaps, { metadata: { ...object.metadata, name: `${object.metadata.name}-other`, uid: 'other' } }, 'Normal', 'Tested', 'hello');
    expect(await count()).toBe(26);
    await pass(300_000, 10_000);
    say('again');
    say('again');
    expect(await count()).toBe(27);
  });

  it('never make the caller wait, nor the queue grow without end', { timeout: 30_000 }, async () => {
    const { recorder, pass, requests } = world();
    const lift = api.faults.inject({ client: `events-${serial}` }, { kind: 'delay', ms: 300 }, { times: 1 });
    onTestFinished(lift);
    for (let i = 0; i < 1_500; i++)
      recorder.record(configMaps, { metadata: { name: `events-${serial}-${i}`, namespace: 'default', uid: `many-${i}` } }, 'Normal', 'Tested', 'hello');
    await pass(0);
    await recorder.flush(10_000);
    // One is on its way while a thousand wait.
    expect(requests()).toHaveLength(1_001);
  });
});

describe('when the API server is away', () => {
  it('an event is sent again for a while, and then given up', async () => {
    const { say, read, pass, requests } = world();
    api.faults.inject({ client: `events-${serial}`, verb: 'create' }, { kind: 'fail', code: 500 }, { times: 3 });
    say('all is well');
    await pass(10_000);
    expect(await read()).toHaveLength(1);
    expect(requests()).toEqual(['create', 'create', 'create', 'create']);
    api.faults.inject({ client: `events-${serial}` }, { kind: 'fail', code: 500 }, { times: 6 });
    say('this is lost');
    say('this is not');
    await pass(60_000);
    expect((await read()).map(({ message }) => message)).toEqual(['all is well', 'this is not']);
  });

  it('an event whose answer was lost is not doubled', async () => {
    const { say, read, pass } = world();
    api.faults.inject({ client: `events-${serial}`, verb: 'create' }, { kind: 'loseAnswer' }, { times: 1 });
    say('all is well');
    await pass(10_000);
    say('all is well');
    expect(await read()).toMatchObject([{ count: 2 }]);
  });

  it('one that is refused is given up at once', async () => {
    const { say, pass, requests } = world();
    api.faults.inject({ client: `events-${serial}`, verb: 'create' }, { kind: 'fail', code: 403 }, { times: 1 });
    say('all is well');
    await pass(60_000);
    expect(requests()).toEqual(['create']);
  });
});

describe('at the end', () => {
  it('what waits for another try is tried once more, at once', async () => {
    const { say, read, recorder, clock } = world();
    api.faults.inject({ client: `events-${serial}`, verb: 'create' }, { kind: 'fail', code: 500 }, { times: 1 });
    say('all is well');
    await eventually(() => clock.pending).toBe(1);
    await recorder.flush(5_000);
    expect(clock.pending).toBe(0);
    expect(await read()).toHaveLength(1);
  });

  it('what was said is still sent, but nobody is waited for too long', async () => {
    const { say, read, recorder, clock } = world();
    for (let i = 0; i < 5; i++) say(`word ${i}`);
    await recorder.flush(5_000);
    expect(clock.pending).toBe(0);
    expect(await read()).toHaveLength(5);
    const lift = api.faults.inject({ client: `events-${serial}` }, { kind: 'delay', ms: 500 }, { times: 1 });
    onTestFinished(lift);
    say('too late');
    let flushed = false;
    const flushing = recorder.flush(100).then(() => (flushed = true));
    await clock.advance(99);
    expect(flushed).toBe(false);
    await clock.advance(1);
    await flushing;
  });
});
