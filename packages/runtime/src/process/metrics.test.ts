import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

const BUCKETS = [0.1, 1, 10];

/** The lines of a scrape, in any order: the format promises none between families. */
const lines = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .sort();

interface Step {
  kind: 'count' | 'set' | 'dec' | 'observe';
  labels: { driver?: string; code?: string | number };
  value: number;
}

describe('metrics', () => {
  it('say the same as prom-client, whatever is counted, under whatever labels', async () => {
    const label = fc.oneof(fc.string(), fc.constantFrom('a', 'b', '"quoted"', 'back\\slash', 'new\nline', ''));
    const step = fc.record<Step>({
      kind: fc.constantFrom('count', 'set', 'dec', 'observe'),
      labels: fc.record({ driver: label, code: fc.oneof(fc.nat(3), fc.constant('OK')) }, { requiredKeys: [] }),
      value: fc.oneof(fc.constantFrom(...BUCKETS), fc.double({ min: 0, max: 1e6, noNaN: true })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const [ours, theirs] = [createMetrics(), new Registry()];
        const labels = ['driver', 'code'] as const;
        const options = (name: string) => ({ name, help: `What ${name} is,\nin two lines \\ or one`, labels });
        const a = { c: ours.counter(options('c_total')), g: ours.gauge(options('g')), h: ours.histogram({ ...options('h_seconds'), buckets: BUCKETS }) };
        const common = (name: string) => ({ name, help: options(name).help, labelNames: [...labels], registers: [theirs] });
        const b = { c: new Counter(common('c_total')), g: new Gauge(common('g')), h: new Histogram({ ...common('h_seconds'), buckets: BUCKETS }) };
        for (const { kind, labels, value } of steps) {
          for (const { c, g, h } of [a, b] as const) {
            if (kind === 'count') c.inc(labels, value);
            else if (kind === 'set') g.set(labels, value);
            else if (kind === 'dec') g.dec(labels, value);
            else h.observe(labels, value);
          }
        }
        expect(lines(await ours.text())).toEqual(lines(await theirs.metrics()));
      }),
    );
  });

  it('without labels start at zero, as those of prom-client', async () => {
    const [ours, theirs] = [createMetrics(), new Registry()];
    const common = { help: 'x', registers: [theirs] };
    ours.counter({ name: 'c', help: 'x' });
    ours.gauge({ name: 'g', help: 'x' });
    ours.histogram({ name: 'h', help: 'x', buckets: BUCKETS });
    void [new Counter({ name: 'c', ...common }), new Gauge({ name: 'g', ...common }), new Histogram({ name: 'h', ...common, buckets: BUCKETS })];
    expect(lines(await ours.text())).toEqual(lines(await theirs.metrics()));
    expect(ours.contentType).toBe(theirs.contentType);
  });

  it('can be collected when they are asked for', async () => {
    const metrics = createMetrics();
    let now = 1;
    metrics.gauge({ name: 'one', help: 'x', collect: () => now });
    metrics.gauge({ name: 'many', help: 'x', labels: ['of'], collect: () => [{ labels: { of: 'a' }, value: Number.POSITIVE_INFINITY }] });
    expect(await metrics.text()).toContain('\none 1\n');
    now = 2;
    expect(await metrics.text()).toContain('\none 2\n');
    expect(await metrics.text()).toContain('\nmany{of="a"} +Inf\n');
  });

  it('refuse what would make them meaningless', () => {
    const metrics = createMetrics();
    const counter = metrics.counter({ name: 'c_total', help: 'x', labels: ['driver'] });
    expect(() => counter.inc({}, -1)).toThrow('the counter c_total cannot go down by 1');
    expect(() => counter.inc({ diver: 'a' } as object)).toThrow('the metric c_total has no label "diver"; it has driver');
    expect(() => metrics.gauge({ name: 'c_total', help: 'again' })).toThrow('there is already a metric c_total');
    expect(() => metrics.gauge({ name: 'with space', help: 'x' })).toThrow('is no name for a metric');
  });

  it('tell of the process under the names that Go components use', async () => {
    const text = await createMetrics({ processMetrics: true }).text();
    const value = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
    expect(Math.abs(value('process_start_time_seconds') - Date.now() / 1_000)).toBeLessThan(600);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10 * 2 ** 20);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('process_open_fds')).toBeGreaterThan(2);
    expect(text).toContain(`nodejs_version_info{version="${process.version}"} 1`);
  });
});
