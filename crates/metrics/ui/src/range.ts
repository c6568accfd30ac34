/** The time range that the page shows: presets that move with the clock, or free dates. It lives in the URL. Pure. */

import { DAY, floor, HOUR, startOfDay } from './buckets';

export const PRESETS = ['24h', '7d', '30d', '90d', '1y', 'all'] as const;
export type Preset = (typeof PRESETS)[number];

export type Range = { kind: 'preset'; preset: Preset } | { kind: 'free'; from: Date; to: Date };

export const DEFAULT: Range = { kind: 'preset', preset: '30d' };

const isPreset = (text: string | null): text is Preset => (PRESETS as readonly (string | null)[]).includes(text);

/** Reads a query string; what makes no sense is the default. A day alone is its midnight here. */
export function parse(query: string): Range {
  const parameters = new URLSearchParams(query);
  const preset = parameters.get('range');
  if (isPreset(preset)) return { kind: 'preset', preset };
  const from = time(parameters.get('from'));
  const to = time(parameters.get('to'));
  return from && to && from < to ? { kind: 'free', from, to } : DEFAULT;
}

function time(text: string | null): Date | null {
  if (text === null) return null;
  const parsed = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00` : text);
  return Number.isNaN(parsed.getTime()) ? null : parsed;
}

/** The query string of a range, keeping what else is in `query`. */
export function write(range: Range, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const name of ['range', 'from', 'to']) parameters.delete(name);
  if (range.kind === 'free') {
    parameters.set('from', instant(range.from));
    parameters.set('to', instant(range.to));
  } else if (range.kind !== DEFAULT.kind || range.preset !== (DEFAULT as { preset: Preset }).preset) {
    parameters.set('range', range.preset);
  }
  const text = parameters.toString().replaceAll('%3A', ':');
  return text === '' ? '' : `?${text}`;
}

/** RFC 3339 in UTC, to the second. */
export const instant = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, 'Z');

export interface Resolved {
  from: Date;
  /** null: up to now, and on from there. */
  to: Date | null;
}

const DAYS: Record<Exclude<Preset, '24h' | 'all'>, number> = { '7d': 7, '30d': 30, '90d': 90, '1y': 365 };

/**
 * The range in instants. A moving one begins where a bucket begins, so that its first column is a whole one;
 * "30 days" are today and the 29 days before.
 */
export function resolve(range: Range, now: Date, oldest: Date | null): Resolved {
  if (range.kind === 'free') return { from: range.from, to: range.to };
  if (range.preset === '24h') return { from: floor(new Date(now.getTime() - 24 * HOUR), '15m'), to: null };
  if (range.preset === 'all') return { from: whole(oldest ?? startOfDay(now, -29), now), to: null };
  return { from: whole(startOfDay(now, 1 - DAYS[range.preset]), now), to: null };
}

/** `from` moved back to the start of the day, week or month that the server will count in. */
function whole(from: Date, now: Date): Date {
  const days = (now.getTime() - from.getTime()) / DAY;
  return floor(from, days <= 200 ? '1d' : days <= 1400 ? '1w' : '1mo');
}

/** Two days as `<input type="date">` gives them, the last one included; null when they are not two days in order. */
export function ofDays(first: string, last: string): Range | null {
  const from = time(first);
  const to = time(last);
  if (!from || !to || from > to) return null;
  return { kind: 'free', from, to: startOfDay(to, 1) };
}

/** The days a range touches, for `<input type="date">`. */
export function toDays({ from, to }: Resolved, now: Date): { first: string; last: string } {
  return { first: inputDay(from), last: inputDay(new Date((to ?? now).getTime() - 1)) };
}

function inputDay(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}
