import { describe, expect, it } from 'vitest';

import * as range from '../src/range';

// Paris: UTC+1 in November, UTC+2 until 25 October 2026.
const now = new Date('2026-11-24T22:10:30Z');
const preset = (preset: range.Preset): range.Range => ({ kind: 'preset', preset });

describe('in the URL', () => {
  it.each(range.PRESETS)('%s survives', (name) => {
    expect(range.parse(range.write(preset(name), ''))).toEqual(preset(name));
  });

  it('keeps free dates and what else is there', () => {
    const free: range.Range = { kind: 'free', from: new Date('2026-11-01T23:00:00Z'), to: new Date('2026-11-08T23:00:00Z') };
    const query = range.write(free, '?senders=domain&range=7d');
    expect(query).toBe('?senders=domain&from=2026-11-01T23:00:00Z&to=2026-11-08T23:00:00Z');
    expect(range.parse(query)).toEqual(free);
  });

  it('is empty for the default', () => expect(range.write(range.DEFAULT, '?range=7d')).toBe(''));

  it.each(['', '?range=3d', '?from=2026-11-02&to=2026-11-01', '?from=yesterday&to=now', '?from=2026-11-01'])(
    'takes %j for the default',
    (query) => expect(range.parse(query)).toEqual(range.DEFAULT),
  );

  it('reads a day as its midnight here', () => {
    const read = range.parse('?from=2026-10-25&to=2026-10-26');
    expect(read).toEqual({ kind: 'free', from: new Date('2026-10-24T22:00:00Z'), to: new Date('2026-10-25T23:00:00Z') });
  });
});

describe('in instants', () => {
  const from = (name: range.Preset, oldest: Date | null = null) => {
    const resolved = range.resolve(preset(name), now, oldest);
    expect(resolved.to).toBeNull();
    return range.instant(resolved.from);
  };

  it('begins where a bucket begins', () => {
    expect(from('24h')).toBe('2026-11-23T22:00:00Z');
    expect(from('7d')).toBe('2026-11-17T23:00:00Z');
  });

  it('counts today among its days, over the change of the clocks', () => {
    expect(from('30d')).toBe('2026-10-25T23:00:00Z');
    expect(from('90d')).toBe('2026-08-26T22:00:00Z');
  });

  it('begins a year on a Monday, and everything with the oldest message', () => {
    expect(from('1y')).toBe('2025-11-23T23:00:00Z');
    expect(from('all', new Date('2019-03-14T12:00:00Z'))).toBe('2019-02-28T23:00:00Z');
    expect(from('all', new Date('2026-11-03T12:00:00Z'))).toBe('2026-11-02T23:00:00Z');
    expect(from('all')).toBe('2026-10-25T23:00:00Z');
  });
});

describe('days of the form', () => {
  it('includes the last day, even one of 25 hours', () => {
    expect(range.ofDays('2026-10-24', '2026-10-25')).toEqual({
      kind: 'free',
      from: new Date('2026-10-23T22:00:00Z'),
      to: new Date('2026-10-25T23:00:00Z'),
    });
  });

  it('refuses what are not two days in order', () => {
    expect(range.ofDays('', '2026-10-25')).toBeNull();
    expect(range.ofDays('2026-10-26', '2026-10-25')).toBeNull();
  });

  it('shows the days that a range touches', () => {
    const { from, to } = range.resolve({ kind: 'free', from: new Date('2026-11-01T23:00:00Z'), to: new Date('2026-11-02T23:00:00Z') }, now, null);
    expect(range.toDays({ from, to }, now)).toEqual({ first: '2026-11-02', last: '2026-11-02' });
  });
});
