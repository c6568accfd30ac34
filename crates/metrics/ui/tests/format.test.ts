import { describe, expect, it } from 'vitest';

import * as format from '../src/format';

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [10 * 1024 + 512, '10.5 KiB'],
    [1023.9 * 1024, '1 MiB'],
    [912_345_678, '870 MiB'],
    [5 * 2 ** 40, '5 TiB'],
  ])('%d is %s', (value, text) => expect(format.bytes(value)).toBe(text));
});

describe('age', () => {
  const now = new Date('2026-11-24T22:00:00Z');
  it.each([
    ['2026-11-24T22:00:30Z', 'just now'],
    ['2026-11-24T21:59:57Z', 'just now'],
    ['2026-11-24T21:59:15Z', '45 s ago'],
    ['2026-11-24T21:57:01Z', '2 min ago'],
    ['2026-11-23T20:00:00Z', '26 h ago'],
    ['2023-11-24T22:00:00Z', '1,096 d ago'],
  ])('%s is %s', (time, text) => expect(format.age(new Date(time), now)).toBe(text));
});

it('shows the day of a time only when it is another one', () => {
  const now = new Date('2026-11-24T22:30:00Z');
  expect(format.clockOrDay(new Date('2026-11-24T21:04:05Z'), now)).toBe('22:04:05');
  // 23:30 in Paris is still the 24th, half past midnight is not.
  expect(format.clockOrDay(new Date('2026-11-24T23:30:00Z'), now)).toBe('25 Nov 2026, 00:30:00');
});

it('leaves nothing in a name that moves, hides or breaks the text around it', () => {
  expect(format.inert('a\u202Egnp.exe\u0000\n\u200Bé 日本')).toBe('a\uFFFDgnp.exe\uFFFD\uFFFD\uFFFDé 日本');
});
