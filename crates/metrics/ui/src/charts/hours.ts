/** When mail comes: the hours of the week as a heatmap. */

import type { HoursAnswer } from '../api/types';
import * as format from '../format';
import type { Palette } from '../palette';
import { t } from '../texts';
import { base, bottomAxis, tip, tooltip, type View } from './view';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const two = (hour: number) => String(hour).padStart(2, '0');
const hourName = (hour: number) => `${two(hour)}:00–${two((hour + 1) % 24)}:00`;

/** Names of the weekdays, Monday first. */
function weekdays(width: 'short' | 'long'): string[] {
  const style = new Intl.DateTimeFormat(t.locale, { weekday: width, timeZone: 'UTC' });
  return Array.from({ length: 7 }, (_, day) => style.format(new Date(Date.UTC(2024, 0, 1 + day))));
}

export function hours(answer: HoursAnswer, palette: Palette): View {
  const points = answer.series.flatMap((series) => series.points);
  const names = weekdays('long');
  const busiest = points.reduce<[number, number, number] | null>((best, point) => (point[2] > (best?.[2] ?? 0) ? point : best), null);
  const summary = busiest
    ? t.hours.summary(names[busiest[0] - 1] ?? '', hourName(busiest[1]), format.number(busiest[2]))
    : '';
  const common = base(palette);
  const axis = { axisLine: { show: false }, axisTick: { show: false }, splitArea: { show: false } };
  return {
    summary,
    option: {
      ...common,
      grid: { ...(common['grid'] as object), top: 4, bottom: 34 },
      xAxis: {
        type: 'category',
        data: HOURS.map(two),
        ...bottomAxis(palette),
        ...axis,
        axisLabel: { color: palette.muted, interval: (hour: number) => hour % 3 === 0 },
      },
      yAxis: {
        type: 'category',
        data: weekdays('short'),
        inverse: true,
        ...axis,
        axisLabel: { color: palette.muted, interval: 0 },
      },
      visualMap: {
        type: 'continuous',
        min: 0,
        max: Math.max(1, busiest?.[2] ?? 1),
        calculable: false,
        orient: 'horizontal',
        right: 8,
        bottom: 0,
        itemWidth: 8,
        itemHeight: 120,
        text: [format.number(busiest?.[2] ?? 0), '0'],
        textGap: 8,
        textStyle: { color: palette.muted, fontSize: 11 },
        inRange: { color: [...palette.heat] },
      },
      tooltip: {
        ...tooltip(palette),
        trigger: 'item',
        formatter: (hovered: unknown) => {
          const [hour, day, count] = (hovered as { value: [number, number, number] }).value;
          return tip(`${names[day] ?? ''}, ${hourName(hour)}`, [{ name: t.sizes.messages, value: format.number(count) }]);
        },
      },
      series: [
        {
          id: 'hours',
          type: 'heatmap',
          data: points.map(([day, hour, count]) => [hour, day - 1, count]),
          itemStyle: { borderColor: palette.panel, borderWidth: 1.5, borderRadius: 3 },
          emphasis: { itemStyle: { borderColor: palette.text, borderWidth: 1.5 } },
          progressive: 0,
        },
      ],
    },
    table: () => {
      const counts = new Map(points.map(([day, hour, count]) => [day * 24 + hour, count]));
      return {
        columns: [{ name: t.hours.weekday }, ...HOURS.map((hour) => ({ name: two(hour), numeric: true }))],
        rows: names.map((name, day) => [name, ...HOURS.map((hour) => format.number(counts.get((day + 1) * 24 + hour) ?? 0))]),
      };
    },
  };
}
