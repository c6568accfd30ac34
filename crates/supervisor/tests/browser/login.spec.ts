/** Logging in and out. */

import { expect, test } from './fixtures';
import { HOSTILE, PASSWORD } from './vigie';

test.use({ role: null, tolerated: /status of 403/ });

test('a wrong password says so, the right one leads to the page asked for, and logging out ends it', async ({ page }) => {
  await page.goto('/services?log=mailbox');
  await expect(page).toHaveURL(/\/login\?next=/);

  await page.getByLabel('Name').fill(HOSTILE);
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toHaveText('This name and password do not belong together.');
  await expect(page.getByLabel('Name')).toHaveValue(HOSTILE);
  expect(await page.evaluate('window.__pwned')).toBeUndefined();

  await page.getByLabel('Name').fill('operator');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page).toHaveURL('/services?log=mailbox');
  await expect(page.getByRole('log')).toBeVisible();

  await page.getByRole('button', { name: 'Log out' }).click();
  await expect(page).toHaveURL('/login');
  await page.goto('/');
  await expect(page).toHaveURL('/login?next=%2F');
});

test('the dashboard logs out, too', async ({ page, context, vigie }) => {
  const [name = '', value = ''] = vigie.cookies.operator.split(/=(.*)/s);
  await context.addCookies([{ name, value, url: vigie.origin }]);
  await page.goto('/');
  await expect(page.getByTestId('user')).toHaveText('operator');
  await page.getByTestId('logout').click();
  await expect(page).toHaveURL('/login');
});
