/** CPU and memory of the machine over time. Where nothing was measured the line is broken. */

import type { TimeAnswer } from '../api/types';
import * as buckets from '../buckets';
import * as format from '../format';
import type { Palette } from '../palette';
import { t } from '../texts';
import { base, bottomAxis, tip, tooltip, valueAxis, type View } from './view';

type Point = [string, number | null];

interface Line {
  id: string;
  name: string;
  colour: string;
  points: Point[];
  /** A bound rather than a course: dashed, without a surface. */
  bound?: boolean;
}

export function cpu(answer: TimeAnswer, palette: Palette): View {
  const points = answer.series[0]?.points ?? [];
  const known = measured(points);
  const peak = highest(known);
  const mean = known.reduce((sum, [, value]) => sum + value, 0) / known.length;
  const summary = peak ? t.cpu.summary(format.percent(mean), format.percent(peak[1]), format.moment(new Date(peak[0]))) : '';
  // Little is shown as little, yet not as a line on the ground.
  const top = [0.1, 0.2, 0.4, 0.6, 0.8].find((step) => (peak?.[1] ?? 0) <= step) ?? 1;
  const line = { id: 'cpu', name: t.cpu.name, colour: palette.one, points };
  return view(answer, palette, [line], format.percent, summary, {
    ...valueAxis(palette, format.percent),
    max: top,
    interval: top / 4,
  });
}

export function memory(answer: TimeAnswer, palette: Palette): View {
  const of = (kind: string) => answer.series.find((series) => series.labels['kind'] === kind)?.points ?? [];
  const used = of('used');
  const known = measured(used);
  const peak = highest(known);
  const last = known.at(-1);
  const summary =
    peak && last ? t.memory.summary(format.bytes(last[1]), format.bytes(peak[1]), format.moment(new Date(peak[0]))) : '';
  const lines = [
    { id: 'used', name: t.memory.used, colour: palette.one, points: used },
    { id: 'limit', name: t.memory.limit, colour: palette.limit, points: of('limit'), bound: true },
  ];
  const top = Math.max(peak?.[1] ?? 0, highest(measured(of('limit')))?.[1] ?? 0);
  const step = binaryStep(top);
  return view(answer, palette, lines, format.bytes, summary, {
    ...valueAxis(palette, format.bytes),
    interval: step,
    max: Math.ceil(top / step) * step || 1,
  });
}

function view(answer: TimeAnswer, palette: Palette, lines: Line[], value: (value: number) => string, summary: string, yAxis: object): View {
  const { bucket } = answer;
  const last = lines[0]?.points.at(-1);
  const end = last ? Math.max(Date.parse(answer.to), Date.parse(last[0])) : Date.parse(answer.to);
  return {
    summary,
    option: {
      ...base(palette),
      xAxis: {
        type: 'time',
        min: Date.parse(answer.from),
        max: end,
        ...bottomAxis(palette),
        splitNumber: 5,
        axisLabel: {
          color: palette.muted,
          hideOverlap: true,
          formatter: { year: '{yyyy}', month: '{MMM}', day: '{d} {MMM}', hour: '{HH}:{mm}', minute: '{HH}:{mm}', second: '{HH}:{mm}:{ss}' },
        },
      },
      yAxis,
      tooltip: {
        ...tooltip(palette),
        trigger: 'axis',
        axisPointer: { type: 'line', lineStyle: { color: palette.muted, width: 1 } },
        formatter: (hovered: unknown) => {
          const items = hovered as { value: Point; seriesId: string }[];
          const time = items[0]?.value[0];
          if (time === undefined) return '';
          const rows = items.flatMap((item) => {
            const line = lines.find(({ id }) => id === item.seriesId);
            const measured = item.value[1];
            return line && measured !== null ? [{ colour: line.colour, name: line.name, value: value(measured) }] : [];
          });
          return tip(buckets.name(new Date(time), bucket), rows);
        },
      },
      series: lines.map((line) => ({
        id: line.id,
        name: line.name,
        type: 'line',
        data: line.points,
        showSymbol: false,
        symbol: 'circle',
        symbolSize: 6,
        // A lone point between two gaps has no line to be seen by.
        ...(isSparse(line.points) ? { showSymbol: true, symbolSize: 4 } : {}),
        connectNulls: false,
        animation: false,
        lineStyle: { color: line.colour, width: line.bound ? 1 : 1.5, type: line.bound ? 'dashed' : 'solid' },
        itemStyle: { color: line.colour },
        ...(line.bound ? {} : { areaStyle: { color: line.colour, opacity: 0.14 } }),
        emphasis: { disabled: true },
        cursor: 'default',
      })),
    },
    table: () => ({
      columns: [{ name: t.cpu.time }, ...lines.map((line) => ({ name: line.name, numeric: true }))],
      rows: (lines[0]?.points ?? [])
        .map(([time], at) => [
          buckets.name(new Date(time), bucket),
          ...lines.map((line) => {
            const measured = line.points[at]?.[1] ?? null;
            return measured === null ? t.panel.none : value(measured);
          }),
        ])
        .reverse(),
    }),
    zoom: (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const from = buckets.floor(new Date(low), bucket);
      const to = buckets.end(buckets.floor(new Date(high), bucket), bucket);
      return { from, to };
    },
  };
}

const measured = (points: Point[]): [string, number][] => points.filter((point): point is [string, number] => point[1] !== null);

const isSparse = (points: Point[]): boolean => measured(points).length < 3;

function highest(points: [string, number][]): [string, number] | undefined {
  return points.reduce<[string, number] | undefined>((best, point) => (best && best[1] >= point[1] ? best : point), undefined);
}

/** A step between marks, a power of two of bytes, such that there are two to four of them. */
function binaryStep(top: number): number {
  return top <= 0 ? 1 : 2 ** Math.ceil(Math.log2(top / 4));
}
