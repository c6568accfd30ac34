/** Takes the pictures of the README into the folder VIGIE_PICTURES. Look at them before committing them. */

import { join } from 'node:path';

import type { Locator, Page } from '@playwright/test';

import { expect, test } from './fixtures';

test.use({
  // So slow that the day of the picture looks like the others.
  demo: [{ messages: 2000, every: '40s', talker: false }, { scope: 'worker' }],
  viewport: { width: 1280, height: 720 },
});
test.setTimeout(600_000);

const folder = process.env['VIGIE_PICTURES'] ?? '.';
/** Until the lines of the host are lines. */
const MINUTES = 3;

test('dashboard and services', async ({ page, vigie }) => {
  const measured = async () => {
    const { series } = (await vigie.api('series/host_cpu?from=now-1h&bucket=1m')) as { series?: { points: [string, number | null][] }[] };
    return series?.[0]?.points.filter(([, usage]) => usage !== null).length ?? 0;
  };
  await expect.poll(measured, { timeout: 500_000, intervals: [5_000] }).toBeGreaterThan(MINUTES);

  // What Vigie is for: something dies, and is back.
  const { pid } = await vigie.service('ingest');
  if (pid !== null) process.kill(pid, 'SIGKILL');
  await page.goto('/services?log=ingest');
  await expect(page.getByTestId('service-ingest')).toContainText('signal 9');
  await expect(page.getByTestId('service-ingest')).toHaveAttribute('data-state', 'running');
  await expect(page.getByTestId('service-ingest').locator('[data-label="CPU"]')).not.toBeEmpty();
  await expect(page.getByTestId('log').locator('.line').last()).toContainText('stored', { timeout: 120_000 });
  await picture(page, 'services', page.locator('section', { has: page.getByTestId('log') }));

  await page.goto('/?range=90d');
  await expect(page.getByTestId('live')).toHaveAttribute('data-state', 'live');
  for (const id of ['chart-messages', 'chart-hours', 'chart-sizes', 'chart-cpu', 'chart-memory']) {
    await expect(page.getByTestId(id)).toHaveAttribute('data-state', 'shown');
    await expect(page.getByTestId(id)).toHaveAttribute('aria-busy', 'false');
  }
  // What is below needs no picture.
  await picture(page, 'dashboard', page.getByTestId('panel-mailboxes'));
});

/** The page down to the end of a part of it. */
async function picture(page: Page, name: string, last: Locator): Promise<void> {
  const end = await last.boundingBox();
  const clip = { x: 0, y: 0, width: 1280, height: (end?.y ?? 700) + (end?.height ?? 0) + 12 };
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true, clip, animations: 'disabled' });
}
