/** The services page: stop, start and restart with and without script, and the log. */

import type { Page } from '@playwright/test';

import { expect, test } from './fixtures';
import { HOSTILE, PASSWORD } from './vigie';

const row = (page: Page, id: string) => page.getByTestId(`service-${id}`);
const state = (page: Page, id: string, state: string) => expect(row(page, id)).toHaveAttribute('data-state', state);
const pid = async (page: Page, id: string) => Number(await row(page, id).getAttribute('data-pid'));

async function confirmed(page: Page, verb: string, id: string): Promise<void> {
  const sure = page.getByTestId(`confirm-${verb}-${id}`);
  await expect(sure).toBeHidden();
  await page.getByTestId(`${verb}-${id}`).click();
  await sure.click();
}

test('a service is stopped, started and restarted, and other pages follow by themselves', async ({ page, context, vigie }) => {
  const other = await context.newPage();
  await other.goto('/services');
  await other.evaluate('window.__same = true');
  // Else it is painted rarely.
  await page.bringToFront();
  await page.goto('/services');
  await state(page, 'talker', 'running');
  const before = await pid(page, 'talker');

  await confirmed(page, 'stop', 'talker');
  for (const one of [page, other]) await state(one, 'talker', 'stopped');
  expect(await vigie.service('talker')).toMatchObject({ state: 'stopped', pid: null });
  await expect(other.locator('#history tr', { hasText: 'running → stopping' }).first()).toContainText('operator');

  await page.getByTestId('start-talker').click();
  for (const one of [page, other]) await state(one, 'talker', 'running');
  const started = await pid(page, 'talker');
  expect(started).not.toBe(before);

  await confirmed(page, 'restart', 'talker');
  await expect.poll(() => pid(other, 'talker')).not.toBe(started);
  for (const one of [page, other]) await state(one, 'talker', 'running');
  expect((await vigie.service('talker')).pid).toBe(await pid(other, 'talker'));
  expect(await other.evaluate('window.__same')).toBe(true);
});

/** Number of the last line of the log, which the talker counts; NaN when it is not shown as it was said. */
async function last(page: Page): Promise<number> {
  const text = (await page.getByTestId('log').locator('.line').last().textContent()) ?? '';
  return text.includes(HOSTILE) ? Number(/line (\d+)$/.exec(text.trim())?.[1]) : NaN;
}

test('a log grows by itself, and what it says is text', async ({ page }) => {
  await page.goto('/services?log=talker');
  const before = await last(page);
  await expect.poll(() => last(page)).toBeGreaterThan(before + 1);
  expect(await page.evaluate('window.__pwned')).toBeUndefined();
  await expect(page.locator('#lines img, #lines script')).toHaveCount(0);
});

test('a log stands still while a line of it is selected', async ({ page, context }) => {
  await page.goto('/services?log=talker');
  const before = await last(page);
  await page.getByTestId('log').locator('.line').last().click({ clickCount: 3 });
  const words = () => page.evaluate(() => String(getSelection()).trim());
  const copied = await words();
  expect(copied).toContain(HOSTILE);

  const other = await context.newPage();
  await other.goto('/services?log=talker');
  await expect.poll(() => last(other)).toBeGreaterThan(before + 2);
  expect(await words()).toBe(copied);
  await page.evaluate(() => getSelection()?.removeAllRanges());
  await expect.poll(() => last(page)).toBeGreaterThan(before + 2);
});

test('the keyboard stops a service, and keeps its place while the page moves', async ({ page }) => {
  await page.goto('/services');
  await state(page, 'talker', 'running');
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
  await expect
    .poll(async () => {
      await page.keyboard.press('Tab');
      return focused();
    }, { intervals: [0] })
    .toBe('stop-talker');
  // The row is exchanged when its figures have changed.
  const up = row(page, 'talker').locator('[data-label="Up for"]');
  const shown = await up.textContent();
  await expect(up).not.toHaveText(shown ?? '');
  expect(await focused()).toBe('stop-talker');

  await page.keyboard.press('Enter');
  await expect(page.getByTestId('confirm-stop-talker')).toBeVisible();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('confirm-stop-talker');
  await page.keyboard.press('Enter');
  await state(page, 'talker', 'stopped');
  await page.getByTestId('start-talker').press('Enter');
  await state(page, 'talker', 'running');
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false, role: null });

  test('plain forms log in, stop, start and restart', async ({ page, vigie }) => {
    await page.goto('/services?log=talker');
    await page.getByLabel('Name').fill('operator');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(page.getByTestId('log')).toContainText(HOSTILE);
    const before = await pid(page, 'talker');

    /** Loads the page again until it shows the state. */
    const shows = async (wanted: string) =>
      expect(async () => {
        await page.reload();
        expect(await row(page, 'talker').getAttribute('data-state')).toBe(wanted);
      }).toPass({ timeout: 45_000 });

    await confirmed(page, 'restart', 'talker');
    await shows('running');
    const restarted = await pid(page, 'talker');
    expect(restarted).not.toBe(before);
    await confirmed(page, 'stop', 'talker');
    await shows('stopped');
    expect((await vigie.service('talker')).pid).toBeNull();
    await page.getByTestId('start-talker').click();
    await shows('running');
    await page.getByRole('button', { name: 'Log out' }).click();
    await expect(page).toHaveURL('/login');
  });
});
