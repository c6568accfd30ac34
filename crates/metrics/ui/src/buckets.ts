/** Arithmetic of time buckets in the browser's zone: days of 23 or 25 hours, weeks from Monday. Pure. */

import type { Bucket } from './api/types';
import * as format from './format';
import { t } from './texts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const startOfDay = (time: Date, offset = 0): Date =>
  new Date(time.getFullYear(), time.getMonth(), time.getDate() + offset);

/** The start of the bucket that `time` is in. */
export function floor(time: Date, bucket: Bucket): Date {
  switch (bucket) {
    case '1m':
      return new Date(Math.floor(time.getTime() / MINUTE) * MINUTE);
    case '15m':
      return new Date(Math.floor(time.getTime() / (15 * MINUTE)) * 15 * MINUTE);
    case '1h':
      return new Date(time.getTime() - (time.getMinutes() * MINUTE + time.getSeconds() * 1000 + time.getMilliseconds()));
    case '1d':
      return startOfDay(time);
    case '1w':
      return startOfDay(time, -((time.getDay() + 6) % 7));
    case '1mo':
      return new Date(time.getFullYear(), time.getMonth(), 1);
  }
}

/** The end of the bucket that begins at `start`. */
export function end(start: Date, bucket: Bucket): Date {
  switch (bucket) {
    case '1m':
      return new Date(start.getTime() + MINUTE);
    case '15m':
      return new Date(start.getTime() + 15 * MINUTE);
    case '1h':
      return new Date(start.getTime() + HOUR);
    case '1d':
      return startOfDay(start, 1);
    case '1w':
      return startOfDay(start, 7);
    case '1mo':
      return new Date(start.getFullYear(), start.getMonth() + 1, 1);
  }
}

/** The bucket in full, for a tooltip or a table's row. */
export function name(start: Date, bucket: Bucket): string {
  switch (bucket) {
    case '1m':
      return format.moment(start);
    case '15m':
    case '1h':
      return `${format.day(start)}, ${format.minute(start)}–${format.minute(end(start, bucket))}`;
    case '1d':
      return format.weekday(start);
    case '1w':
      return t.messages.weekOf(format.day(start));
    case '1mo':
      return format.month(start);
  }
}

/** What stands below each column; empty where nothing should. */
export function ticks(starts: Date[], bucket: Bucket): string[] {
  const first = starts[0];
  const last = starts.at(-1);
  if (!first || !last) return [];
  if (bucket === '1mo') return starts.map(format.shortMonth);
  const days = (last.getTime() - first.getTime()) / DAY;
  if (bucket === '1w' || bucket === '1d') return starts.map(days > 400 ? format.shortMonth : format.shortDay);
  if (days > 2) return starts.map((start) => (isMidnight(start) ? format.shortDay(start) : ''));
  const step = days > 0.5 ? 3 : days > 0.1 ? 1 : 0;
  return starts.map((start) => {
    if (isMidnight(start)) return format.shortDay(start);
    if (step === 0) return start.getMinutes() % 15 === 0 || bucket === '15m' ? format.minute(start) : '';
    return start.getMinutes() === 0 && start.getHours() % step === 0 ? format.minute(start) : '';
  });
}

const isMidnight = (time: Date): boolean => time.getHours() === 0 && time.getMinutes() === 0;

/** The finest bucket that gives at most `most` points: for lines, which stay readable with many. */
export function finest(spanMs: number, most: number): Bucket {
  const sizes: [Bucket, number][] = [
    ['1m', MINUTE],
    ['15m', 15 * MINUTE],
    ['1h', HOUR],
    ['1d', DAY],
  ];
  return sizes.find(([, size]) => spanMs / size <= most)?.[0] ?? '1w';
}
