/** The dashboard: all of it is there, it moves by itself, and its range is its address. */

import type { Page } from '@playwright/test';

import { expect, test } from './fixtures';

const MAIL = ['chart-messages', 'chart-hours', 'chart-sizes'];
const HOST = ['chart-cpu', 'chart-memory'];

interface Summary {
  messages: number;
}

const figure = async (page: Page) => Number(await page.getByTestId('figure-messages').getAttribute('data-value'));

test('every chart and table has something to show', async ({ page, vigie }) => {
  await page.goto('/?range=all');
  for (const id of [...MAIL, ...HOST]) {
    const panel = page.getByTestId(id);
    await expect(panel, id).toHaveAttribute('data-state', 'shown');
    await expect.poll(() => panel.locator('svg path, svg rect').count(), id).toBeGreaterThan(3);
  }
  await expect(page.getByTestId('table-senders').locator('tbody tr')).not.toHaveCount(0);
  const { items } = (await vigie.api('mailboxes')) as { items: unknown[] };
  expect(items.length).toBeGreaterThan(0);
  await expect(page.getByTestId('mailbox')).toHaveCount(items.length);
  await expect(page.getByTestId('notice')).toHaveCount(0);

  for (const id of MAIL) {
    await page.getByTestId(`${id}-toggle`).click();
    await expect(page.getByTestId(id).getByTestId('data-table').locator('tbody tr')).not.toHaveCount(0);
  }
});

test('figures and charts follow the mail without a reload', async ({ page, vigie }) => {
  await page.goto('/');
  await expect(page.getByTestId('live')).toHaveAttribute('data-state', 'live');
  await page.evaluate('window.__same = true');
  const behind = async () => ((await vigie.api('summary')) as Summary).messages - (await figure(page));
  await expect.poll(behind).toBe(0);

  const summary = page.getByTestId('chart-messages').locator('.summary');
  const [before, said] = [await figure(page), await summary.textContent()];
  await expect.poll(() => figure(page)).toBeGreaterThan(before + 1);
  await expect(summary).not.toHaveText(said ?? '');
  await expect.poll(behind).toBe(0);
  expect(await page.evaluate('window.__same')).toBe(true);

  // What arrives counts on the server as well.
  const apart = async () => {
    const { items } = (await vigie.api('mailboxes')) as { items: { mailbox: string; server_messages: number; stored_messages: number }[] };
    return items.filter((one) => one.server_messages !== one.stored_messages).map(({ mailbox }) => mailbox);
  };
  await expect.poll(apart).toEqual([]);
});

test('the range is in the address, and the way back leads through the ranges', async ({ page }) => {
  const chosen = (range: string) => expect(page.getByTestId(`range-${range}`)).toHaveAttribute('aria-pressed', 'true');
  await page.goto('/');
  await chosen('30d');
  const month = await page.getByTestId('range-words').textContent();

  await page.getByTestId('range-7d').click();
  await expect(page).toHaveURL('/?range=7d');
  await page.getByTestId('range-1y').click();
  await expect(page).toHaveURL('/?range=1y');
  await chosen('1y');
  await expect(page.getByTestId('range-words')).not.toHaveText(month ?? '');
  await page.goBack();
  await chosen('7d');
  await page.goBack();
  await chosen('30d');
  await expect(page).toHaveURL('/');
  await page.goForward();
  await chosen('7d');
  await page.reload();
  await chosen('7d');

  await page.getByTestId('range-custom').click();
  await page.getByTestId('range-from').fill('2026-01-05');
  await page.getByTestId('range-to').fill('2026-01-06');
  await page.getByTestId('range-apply').click();
  await expect(page).toHaveURL('/?from=2026-01-05T00:00:00Z&to=2026-01-07T00:00:00Z');
  await expect(page.getByTestId('chart-messages')).toHaveAttribute('aria-busy', 'false');
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });

  test('the dashboard says so, and leads to the services', async ({ page }) => {
    await page.goto('/');
    await page.getByRole('link', { name: 'services' }).click();
    await expect(page).toHaveURL('/services');
  });
});
