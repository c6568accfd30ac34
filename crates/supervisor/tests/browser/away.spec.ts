/** What the pages say while something is down, and that they come back by themselves. */

import { expect, test } from './fixtures';

test.use({ tolerated: /status of 503|ERR_/ });

test('without metrics both pages say so, and come back with it', async ({ page, context, vigie }) => {
  await page.goto('/');
  await expect(page.getByTestId('live')).toHaveAttribute('data-state', 'live');
  await vigie.command('stop', 'metrics');

  await expect(page.getByTestId('notice-lost')).toContainText('Metrics does not answer');
  await expect(page.getByTestId('live')).toHaveAttribute('data-state', 'away');
  const other = await context.newPage();
  await other.goto('/');
  await expect(other.getByTestId('away')).toContainText('metrics has been stopped');

  await vigie.command('start', 'metrics');
  await expect(other.getByTestId('figure-messages')).toBeVisible();
  await expect(page.getByTestId('live')).toHaveAttribute('data-state', 'live');
  await expect(page.getByTestId('notice-lost')).toHaveCount(0);
});

test('without ingest the dashboard says so, and forgets it when it is back', async ({ page, vigie }) => {
  await page.goto('/');
  await vigie.command('stop', 'ingest');
  const notice = page.getByTestId('notice').filter({ hasText: 'Ingest is not running.' });
  await expect(notice).toBeVisible();
  await expect(notice.getByRole('link')).toHaveAttribute('href', '/services');

  await vigie.command('start', 'ingest');
  await expect(page.getByTestId('notice')).toHaveCount(0);
});

test('without its server a mailbox says that it cannot be reached, and why', async ({ page, vigie }) => {
  await page.goto('/');
  const mailbox = page.getByTestId('mailbox').first();
  await expect(mailbox).toHaveAttribute('data-ok', 'true');
  await vigie.command('stop', 'mailbox');

  await expect(mailbox).toHaveAttribute('data-ok', 'false');
  await expect(mailbox).toContainText(/cannot reach localhost:\d+: nothing listens/);
  await expect(page.getByTestId('notice').first()).toContainText('The mailbox server of demo cannot be reached');

  await vigie.command('start', 'mailbox');
  await expect(mailbox).toHaveAttribute('data-ok', 'true');
  await expect(page.getByTestId('notice')).toHaveCount(0);
});
