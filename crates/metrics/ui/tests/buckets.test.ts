import { describe, expect, it } from 'vitest';

import type { Bucket } from '../src/api/types';
import * as buckets from '../src/buckets';

const at = (text: string) => new Date(text);

describe('a bucket', () => {
  it.each<[Bucket, string, string, string]>([
    ['15m', '2026-11-24T21:44:59Z', '2026-11-24T21:30:00Z', '2026-11-24T21:45:00Z'],
    ['1h', '2026-11-24T21:44:59Z', '2026-11-24T21:00:00Z', '2026-11-24T22:00:00Z'],
    // 25 hours: the clocks go back.
    ['1d', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    // 23 hours: they go forward.
    ['1d', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    ['1w', '2026-10-25T12:00:00Z', '2026-10-18T22:00:00Z', '2026-10-25T23:00:00Z'],
    ['1mo', '2026-10-25T12:00:00Z', '2026-09-30T22:00:00Z', '2026-10-31T23:00:00Z'],
  ])('%s around %s', (bucket, time, start, end) => {
    expect(buckets.floor(at(time), bucket)).toEqual(at(start));
    expect(buckets.end(at(start), bucket)).toEqual(at(end));
  });

  it('keeps both hours of a night apart in which one comes twice', () => {
    const first = at('2026-10-25T00:00:00Z');
    const second = buckets.end(first, '1h');
    expect(second).toEqual(at('2026-10-25T01:00:00Z'));
    expect(buckets.floor(new Date(second.getTime() + 60_000), '1h')).toEqual(second);
  });
});

describe('ticks', () => {
  const hours = (from: string, count: number) => Array.from({ length: count }, (_, hour) => new Date(at(from).getTime() + hour * buckets.HOUR));

  it('name every day of days', () => {
    expect(buckets.ticks([at('2026-11-22T23:00:00Z'), at('2026-11-23T23:00:00Z')], '1d')).toEqual(['23 Nov', '24 Nov']);
  });

  it('name the midnights of a week in hours', () => {
    const named = buckets.ticks(hours('2026-11-17T23:00:00Z', 168), '1h').filter((label) => label !== '');
    expect(named).toEqual(['18 Nov', '19 Nov', '20 Nov', '21 Nov', '22 Nov', '23 Nov', '24 Nov']);
  });

  it('name every third hour of a day', () => {
    const named = buckets.ticks(hours('2026-11-23T22:00:00Z', 24), '1h').filter((label) => label !== '');
    expect(named).toEqual(['24 Nov', '03:00', '06:00', '09:00', '12:00', '15:00', '18:00', '21:00']);
  });
});

it('picks the finest bucket that is not too many points', () => {
  expect(buckets.finest(buckets.DAY, 1_500)).toBe('1m');
  expect(buckets.finest(7 * buckets.DAY, 1_500)).toBe('15m');
  expect(buckets.finest(30 * buckets.DAY, 1_500)).toBe('1h');
  expect(buckets.finest(90 * buckets.DAY, 1_500)).toBe('1d');
  expect(buckets.finest(20 * 365 * buckets.DAY, 1_500)).toBe('1w');
});
