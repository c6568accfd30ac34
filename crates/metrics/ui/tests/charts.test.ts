import { describe, expect, it } from 'vitest';

import type { HoursAnswer, SizesAnswer, TimeAnswer } from '../src/api/types';
import { messages } from '../src/charts/columns';
import { hours } from '../src/charts/hours';
import { cpu, memory } from '../src/charts/lines';
import { sizes } from '../src/charts/sizes';
import { LIGHT } from '../src/palette';

const common = { unit: '', from: '2026-11-21T23:00:00Z', to: '2026-11-24T22:10:00Z', tz: 'Europe/Paris', complete: true, generated_at: '2026-11-24T22:10:00Z' };
const now = new Date('2026-11-24T22:10:00Z');
const days = ['2026-11-21T23:00:00Z', '2026-11-22T23:00:00Z', '2026-11-23T23:00:00Z'] as const;
const time = (series: TimeAnswer['series'], bucket: TimeAnswer['bucket'] = '1d'): TimeAnswer => ({ ...common, metric: '', kind: 'time', bucket, series });

describe('messages', () => {
  const view = messages(
    time([
      { labels: { account: 'support' }, points: [[days[0], 3], [days[2], 4]] },
      { labels: { account: null }, rest: true, points: [[days[1], 1]] },
      { labels: { account: 'demo' }, points: [[days[0], 1000]] },
    ]),
    LIGHT,
    (account) => account ?? 'grey',
    now,
  );

  it('stacks by name, the rest on top, each in its colour', () => {
    const series = view.option['series'] as { name: string; data: number[]; itemStyle: { color: string } }[];
    expect(series.map(({ name, data, itemStyle }) => [name, itemStyle.color, ...data])).toEqual([
      ['demo', 'demo', 1000, 0, 0],
      ['support', 'support', 3, 0, 4],
      ['all others', 'grey', 0, 1, 0],
    ]);
  });

  it('says the same in a table and in a sentence', () => {
    expect(view.table()).toEqual({
      columns: [
        { name: 'Day' },
        { name: 'demo', numeric: true },
        { name: 'support', numeric: true },
        { name: 'all others', numeric: true },
        { name: 'Total', numeric: true },
      ],
      rows: [
        ['Tue, 24 Nov 2026 (so far)', '0', '4', '0', '4'],
        ['Mon, 23 Nov 2026', '0', '0', '1', '1'],
        ['Sun, 22 Nov 2026', '1,000', '3', '0', '1,003'],
      ],
    });
    expect(view.summary).toBe('1,008 messages; most (1,003) Sun, 22 Nov 2026.');
  });

  it('zooms to whole columns, whichever way one drags', () => {
    const expected = { from: new Date(days[1]), to: new Date('2026-11-24T23:00:00Z') };
    expect(view.zoom?.(1, 2)).toEqual(expected);
    expect(view.zoom?.(7, 1)).toEqual(expected);
  });

  it('has nothing to say of nothing', () => {
    const empty = messages(time([]), LIGHT, () => 'grey', now);
    expect(empty.summary).toBe('');
    expect(empty.table().rows).toEqual([]);
    expect(empty.zoom?.(0, 1)).toBeNull();
  });
});

it('names the busiest hour of the week', () => {
  const points: [number, number, number][] = [[1, 9, 12], [7, 23, 40], [3, 0, 1]];
  const view = hours({ ...common, metric: 'hours', kind: 'matrix', bucket: null, series: [{ labels: {}, points }] } satisfies HoursAnswer, LIGHT);
  expect(view.summary).toBe('Busiest: Sunday, 23:00–00:00, 40 messages.');
  const sunday = view.table().rows[6];
  expect([sunday?.[0], sunday?.[24]]).toEqual(['Sunday', '40']);
});

it('fills the holes of a histogram and finds its middle', () => {
  const points: [number, number][] = [[0, 1], [1024, 0], [4096, 6], [2048, 2], [65_536, 0]];
  const view = sizes({ ...common, metric: 'sizes', kind: 'histogram', bucket: null, series: [{ labels: {}, points }] } satisfies SizesAnswer, LIGHT);
  expect(view.table().rows).toEqual([
    ['0 to 1 KiB', '1', '11.1%'],
    ['1 KiB to 2 KiB', '0', '0%'],
    ['2 KiB to 4 KiB', '2', '22.2%'],
    ['4 KiB to 8 KiB', '6', '66.7%'],
  ]);
  expect(view.summary).toBe('The median is between 4 KiB and 8 KiB.');
});

describe('the host', () => {
  it('has gaps where nothing was measured', () => {
    const view = cpu(time([{ labels: {}, points: [[days[0], null], [days[1], 0.25], [days[2], 0.75]] }], '1h'), LIGHT);
    expect(view.summary).toBe('Mean 50%, peak 75% at 24 Nov 2026, 00:00.');
    expect(view.table().rows.at(-1)).toEqual(['22 Nov 2026, 00:00–01:00', 'none']);
  });

  it('shows memory below its limit', () => {
    const gib = 2 ** 30;
    const view = memory(
      time([
        { labels: { kind: 'used' }, points: [[days[0], gib], [days[1], 1.5 * gib]] },
        { labels: { kind: 'limit' }, points: [[days[0], 4 * gib], [days[1], 4 * gib]] },
      ]),
      LIGHT,
    );
    expect(view.option['yAxis']).toMatchObject({ min: 0, max: 4 * gib, interval: gib });
    expect(view.summary).toBe('Now 1.5 GiB, peak 1.5 GiB at 23 Nov 2026, 00:00.');
  });
});
