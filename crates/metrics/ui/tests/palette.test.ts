import { describe, expect, it } from 'vitest';

import { DARK, LIGHT, slots } from '../src/palette';

/** WCAG contrast of two colours written as #rrggbb. */
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

describe.each([
  ['light', LIGHT],
  ['dark', DARK],
])('the %s palette', (_, palette) => {
  it('has the contrast that WCAG asks for', () => {
    for (const colour of [...palette.accounts, palette.rest, palette.one, palette.limit]) {
      expect(contrast(colour, palette.panel), colour).toBeGreaterThanOrEqual(3);
    }
    expect(contrast(palette.text, palette.raised)).toBeGreaterThanOrEqual(7);
    expect(contrast(palette.muted, palette.panel)).toBeGreaterThanOrEqual(4.5);
  });

  it('grows from the panel away in its heat', () => {
    const distances = palette.heat.map((colour) => contrast(colour, palette.panel));
    expect(distances).toEqual([...distances].sort((a, b) => a - b));
  });
});

describe('slots', () => {
  it('differ while there are enough', () => {
    const taken = slots(['alerts', 'demo', 'orders', 'support', 'mail', 'info', 'a'], 7);
    expect(new Set(taken.values()).size).toBe(7);
  });

  it('do not depend on the order or on repetition', () => {
    expect(slots(['b', 'a', 'b'], 7)).toEqual(slots(['a', 'b'], 7));
  });

  it('stay when an account is added that wants another one', () => {
    const before = slots(['demo', 'support'], 7);
    const after = slots(['demo', 'support', 'orders'], 7);
    expect(after.get('demo')).toBe(before.get('demo'));
    expect(after.get('support')).toBe(before.get('support'));
  });

  it('are shared when there are more accounts than colours', () => {
    const many = Array.from({ length: 20 }, (_, index) => `account-${index}`);
    expect([...slots(many, 7).values()].every((slot) => slot >= 0 && slot < 7)).toBe(true);
  });
});
