/** What a chart is on the page: a drawing, the same in a table, and the same in a sentence. */

import type { EChartsCoreOption } from 'echarts/core';

import type { Palette } from '../palette';

export interface Column {
  name: string;
  numeric?: boolean;
}

export interface Table {
  columns: Column[];
  rows: string[][];
}

export interface View {
  option: EChartsCoreOption;
  /** Asked for when it is shown: a long series is a long table. */
  table: () => Table;
  summary: string;
  /** The range between two values of the horizontal axis, for zooming by dragging. */
  zoom?: (a: number, b: number) => { from: Date; to: Date } | null;
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif';

/** What all charts have in common. */
export function base(palette: Palette): EChartsCoreOption {
  const calm = typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches;
  return {
    animation: !calm,
    animationDuration: 250,
    animationDurationUpdate: 250,
    textStyle: { fontFamily: FONT, fontSize: 12, color: palette.muted },
    grid: { left: 4, right: 12, top: 12, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
  };
}

export function valueAxis(palette: Palette, label: (value: number) => string): EChartsCoreOption {
  return {
    type: 'value',
    min: 0,
    splitNumber: 4,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: palette.muted, formatter: label },
    splitLine: { lineStyle: { color: palette.line } },
  };
}

export function bottomAxis(palette: Palette): { axisLine: object; axisTick: object; axisLabel: { color: string; hideOverlap: boolean } } {
  return {
    axisLine: { lineStyle: { color: palette.line } },
    axisTick: { show: false },
    axisLabel: { color: palette.muted, hideOverlap: true },
  };
}

export function tooltip(palette: Palette): EChartsCoreOption {
  return {
    confine: true,
    transitionDuration: 0.1,
    backgroundColor: palette.raised,
    borderColor: palette.line,
    borderWidth: 1,
    padding: 0,
    textStyle: { color: palette.text, fontSize: 12, fontFamily: FONT },
    extraCssText: 'border-radius: 6px; box-shadow: 0 4px 16px rgb(0 0 0 / 14%);',
  };
}

export interface TipRow {
  colour?: string;
  name: string;
  value: string;
}

/**
 * A tooltip's content as elements. Text would be set by ECharts as HTML with style attributes, which the content
 * security policy forbids, and which names from servers must never be part of.
 */
export function tip(title: string, rows: TipRow[]): HTMLElement {
  const box = element('div', 'tip');
  box.append(element('div', 'tip-title', title));
  for (const row of rows) {
    const line = element('div', 'tip-row');
    const swatch = element('span', 'swatch');
    if (row.colour === undefined) swatch.classList.add('none');
    else swatch.style.backgroundColor = row.colour;
    line.append(swatch, element('span', 'tip-name', row.name), element('b', 'tip-value', row.value));
    box.append(line);
  }
  return box;
}

function element(tag: string, name: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}
