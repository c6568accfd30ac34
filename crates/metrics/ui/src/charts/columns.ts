/** Messages per bucket, one stack of columns per bucket, one colour per account. */

import type { TimeAnswer } from '../api/types';
import * as buckets from '../buckets';
import * as format from '../format';
import type { Palette } from '../palette';
import { t } from '../texts';
import { base, bottomAxis, tip, tooltip, valueAxis, type Table, type View } from './view';

interface Stack {
  account: string | null;
  name: string;
  colour: string;
  counts: number[];
}

export function messages(answer: TimeAnswer, palette: Palette, colour: (account: string | null) => string, now: Date): View {
  const { bucket } = answer;
  const starts = startsOf(answer);
  const stacks = stacksOf(answer, starts, colour);
  const totals = starts.map((_, at) => stacks.reduce((sum, stack) => sum + (stack.counts[at] ?? 0), 0));
  const summary = summarise(starts, totals, bucket);
  const labels = buckets.ticks(starts, bucket);
  const columnName = (at: number): string => {
    const start = starts[at];
    if (!start) return '';
    const name = buckets.name(start, bucket);
    return buckets.end(start, bucket) > now ? `${name} (${t.panel.soFar})` : name;
  };

  const common = base(palette);
  const several = stacks.length > 1;
  return {
    summary,
    option: {
      ...common,
      grid: { ...(common['grid'] as object), top: several ? 36 : 12 },
      legend: {
        show: several,
        type: 'scroll',
        top: 0,
        left: 0,
        itemWidth: 10,
        itemHeight: 10,
        itemGap: 16,
        icon: 'roundRect',
        textStyle: { color: palette.text },
        inactiveColor: palette.line,
        pageIconColor: palette.text,
        pageIconInactiveColor: palette.line,
        pageTextStyle: { color: palette.muted },
      },
      xAxis: {
        type: 'category',
        data: starts.map((start) => start.toISOString()),
        ...bottomAxis(palette),
        axisLabel: {
          color: palette.muted,
          hideOverlap: true,
          formatter: (_: string, at: number) => labels[at] ?? '',
          ...(labels.includes('') ? { interval: (at: number) => (labels[at] ?? '') !== '' } : {}),
        },
      },
      yAxis: { ...valueAxis(palette, format.short), minInterval: 1 },
      tooltip: {
        ...tooltip(palette),
        trigger: 'axis',
        axisPointer: { type: 'shadow', shadowStyle: { color: palette.muted, opacity: 0.12 } },
        formatter: (hovered: unknown) => {
          const at = (hovered as { dataIndex: number }[])[0]?.dataIndex ?? 0;
          // Highest in the stack first, as the eye meets them.
          const rows = stacks
            .filter((stack) => (stack.counts[at] ?? 0) > 0)
            .reverse()
            .map((stack) => ({ colour: stack.colour, name: stack.name, value: format.number(stack.counts[at] ?? 0) }));
          const total = { name: t.panel.total, value: format.number(totals[at] ?? 0) };
          return tip(columnName(at), rows.length === 1 ? rows : [...rows, total]);
        },
      },
      series: stacks.map((stack) => ({
        id: stack.account ?? '\u0000rest',
        name: stack.name,
        type: 'bar',
        stack: 'accounts',
        data: stack.counts,
        itemStyle: { color: stack.colour, borderColor: palette.panel, borderWidth: several && starts.length <= 60 ? 0.5 : 0 },
        emphasis: { disabled: true },
        barMaxWidth: 40,
        barCategoryGap: starts.length > 100 ? '12%' : '28%',
        cursor: 'default',
      })),
    },
    table: () => table(starts, stacks, totals, columnName, bucket),
    zoom: (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const first = starts[Math.max(0, low)];
      const last = starts[Math.min(starts.length - 1, high)];
      return first && last ? { from: first, to: buckets.end(last, bucket) } : null;
    },
  };
}

function startsOf(answer: TimeAnswer): Date[] {
  const times = new Set(answer.series.flatMap((series) => series.points.map(([time]) => Date.parse(time))));
  return [...times].sort((a, b) => a - b).map((time) => new Date(time));
}

/** In the order of the names, what is left over on top: the order does not change when counts do. */
function stacksOf(answer: TimeAnswer, starts: Date[], colour: (account: string | null) => string): Stack[] {
  const order = (account: string | null) => account ?? '\u{10FFFF}';
  return answer.series
    .map((series) => {
      const account = series.labels['account'] ?? null;
      const counts = new Map(series.points.map(([time, count]) => [Date.parse(time), count ?? 0]));
      return {
        account,
        name: account === null ? t.panel.rest : format.inert(account),
        colour: colour(account),
        counts: starts.map((start) => counts.get(start.getTime()) ?? 0),
      };
    })
    .sort((a, b) => (order(a.account) < order(b.account) ? -1 : 1));
}

function summarise(starts: Date[], totals: number[], bucket: TimeAnswer['bucket']): string {
  const most = Math.max(0, ...totals);
  const when = starts[totals.indexOf(most)];
  const total = totals.reduce((sum, count) => sum + count, 0);
  return when && most > 0 ? t.messages.summary(format.number(total), format.number(most), buckets.name(when, bucket)) : '';
}

function table(starts: Date[], stacks: Stack[], totals: number[], name: (at: number) => string, bucket: TimeAnswer['bucket']): Table {
  const total = stacks.length > 1;
  return {
    columns: [
      { name: t.messages.column[bucket] },
      ...stacks.map((stack) => ({ name: stack.name, numeric: true })),
      ...(total ? [{ name: t.panel.total, numeric: true }] : []),
    ],
    // Newest first: that is what people look for.
    rows: starts
      .map((_, at) => [
        name(at),
        ...stacks.map((stack) => format.number(stack.counts[at] ?? 0)),
        ...(total ? [format.number(totals[at] ?? 0)] : []),
      ])
      .reverse(),
  };
}
