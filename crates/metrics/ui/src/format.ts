/** Numbers, sizes, times and names as people read them. Pure: the time is an argument, the zone is the browser's. */

import { t } from './texts';

const whole = new Intl.NumberFormat(t.locale, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(t.locale, { notation: 'compact', maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(t.locale, { style: 'percent', maximumFractionDigits: 1 });
const load = new Intl.NumberFormat(t.locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const number = (value: number): string => whole.format(value);
/** For axes: 12K. */
export const short = (value: number): string => compact.format(value);
/** 0..1 as percent. */
export const percent = (ratio: number): string => percents.format(ratio);
export const loads = (values: number[]): string => values.map((value) => load.format(value)).join(' ');

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes in binary units, three significant figures at most. */
export function bytes(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 1024 && unit < BINARY.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  // 1023.9 would be written as 1,024 of the smaller unit.
  if (Math.round(scaled) >= 1024 && unit < BINARY.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  const text = new Intl.NumberFormat(t.locale, { maximumFractionDigits: digits }).format(scaled);
  return `${text} ${BINARY[unit]}`;
}

const style = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(t.locale, options);
const clockStyle = style({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteStyle = style({ hour: '2-digit', minute: '2-digit' });
const dayStyle = style({ day: 'numeric', month: 'short', year: 'numeric' });
const shortDayStyle = style({ day: 'numeric', month: 'short' });
const weekdayStyle = style({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const monthStyle = style({ month: 'long', year: 'numeric' });
const shortMonthStyle = style({ month: 'short', year: 'numeric' });

/** 22:04:31 */
export const clock = (time: Date): string => clockStyle.format(time);
/** 22:04 */
export const minute = (time: Date): string => minuteStyle.format(time);
/** 24 Nov 2026 */
export const day = (time: Date): string => dayStyle.format(time);
/** 24 Nov */
export const shortDay = (time: Date): string => shortDayStyle.format(time);
/** Tue, 24 Nov 2026 */
export const weekday = (time: Date): string => weekdayStyle.format(time);
/** November 2026 */
export const month = (time: Date): string => monthStyle.format(time);
/** Nov 2026 */
export const shortMonth = (time: Date): string => shortMonthStyle.format(time);
/** 24 Nov 2026, 22:04 */
export const moment = (time: Date): string => `${day(time)}, ${minute(time)}`;

/** 24 Nov, 22:04 */
export const shortMoment = (time: Date): string => `${shortDay(time)}, ${minute(time)}`;

/** 22:04:31, with the day before it when that is another one. */
export function clockOrDay(time: Date, now: Date): string {
  return day(time) === day(now) ? clock(time) : `${day(time)}, ${clock(time)}`;
}

/** A time span in its largest unit: 12 s, 3 min, 5 h, 2 d. */
export function span(seconds: number): string {
  const { units } = t.age;
  if (seconds < 60) return `${Math.floor(seconds)} ${units.second}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} ${units.minute}`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} ${units.hour}`;
  return `${number(Math.floor(seconds / 86_400))} ${units.day}`;
}

/** How long ago. The future is now: clocks of two machines differ. */
export function age(time: Date, now: Date): string {
  const seconds = (now.getTime() - time.getTime()) / 1000;
  return seconds < 5 ? t.age.now : t.age.ago(span(seconds));
}

/**
 * Text of servers and senders, fit to stand in a line: characters that would break it, hide it or turn the
 * reading order around become a visible mark.
 */
export function inert(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, '\u{FFFD}');
}
