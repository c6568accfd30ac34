/** How large messages are: a histogram whose classes double in size. */

import type { SizesAnswer } from '../api/types';
import * as format from '../format';
import type { Palette } from '../palette';
import { t } from '../texts';
import { base, bottomAxis, tip, tooltip, valueAxis, type View } from './view';

interface Class {
  low: number;
  high: number;
  count: number;
}

export function sizes(answer: SizesAnswer, palette: Palette): View {
  const classes = classesOf(answer);
  const total = classes.reduce((sum, { count }) => sum + count, 0);
  const name = ({ low, high }: Class) => t.sizes.between(low === 0 ? '0' : format.bytes(low), format.bytes(high));
  const share = (count: number) => format.percent(total === 0 ? 0 : count / total);
  const middle = median(classes, total);
  const summary = middle ? t.sizes.summary(format.bytes(middle.low), format.bytes(middle.high)) : '';
  return {
    summary,
    option: {
      ...base(palette),
      xAxis: {
        type: 'category',
        data: classes.map(({ low }) => (low === 0 ? '0' : format.bytes(low))),
        ...bottomAxis(palette),
      },
      yAxis: { ...valueAxis(palette, format.short), minInterval: 1 },
      tooltip: {
        ...tooltip(palette),
        trigger: 'axis',
        axisPointer: { type: 'shadow', shadowStyle: { color: palette.muted, opacity: 0.12 } },
        formatter: (hovered: unknown) => {
          const size = classes[(hovered as { dataIndex: number }[])[0]?.dataIndex ?? 0];
          if (!size) return '';
          return tip(name(size), [
            { colour: palette.one, name: t.sizes.messages, value: format.number(size.count) },
            { name: t.sizes.share, value: share(size.count) },
          ]);
        },
      },
      series: [
        {
          id: 'sizes',
          type: 'bar',
          data: classes.map(({ count }) => count),
          itemStyle: { color: palette.one },
          emphasis: { disabled: true },
          barCategoryGap: '8%',
          barMaxWidth: 64,
          cursor: 'default',
        },
      ],
    },
    table: () => ({
      columns: [{ name: t.sizes.size }, { name: t.sizes.messages, numeric: true }, { name: t.sizes.share, numeric: true }],
      rows: classes.map((size) => [name(size), format.number(size.count), share(size.count)]),
    }),
  };
}

/** From the smallest class that has messages to the largest, without a hole. */
function classesOf(answer: SizesAnswer): Class[] {
  const counts = new Map<number, number>();
  for (const [low, count] of answer.series.flatMap((series) => series.points)) {
    if (count > 0) counts.set(low, (counts.get(low) ?? 0) + count);
  }
  if (counts.size === 0) return [];
  const largest = Math.max(...counts.keys());
  const classes: Class[] = [];
  for (let low = Math.min(...counts.keys()); low <= largest; low = above(low)) {
    classes.push({ low, high: above(low), count: counts.get(low) ?? 0 });
  }
  return classes;
}

const above = (low: number): number => (low === 0 ? 1024 : low * 2);

function median(classes: Class[], total: number): Class | undefined {
  let seen = 0;
  return classes.find(({ count }) => {
    seen += count;
    return seen * 2 >= total && total > 0;
  });
}
