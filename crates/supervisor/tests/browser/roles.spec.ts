/** Who sees numbers only sees numbers only. */

import { expect, test } from './fixtures';

test.use({ role: 'charts' });

test('the role charts has no buttons, no log and no addresses', async ({ page, vigie }) => {
  await page.goto('/services?log=talker');
  await expect(page.getByTestId('service-talker')).toHaveAttribute('data-state', 'running');
  await expect(page.locator('main, body').getByRole('button')).toHaveText(['Log out']);
  await expect(page.getByRole('log')).toHaveCount(0);
  await expect(page.locator('form[action^="/services/"], summary')).toHaveCount(0);

  await page.goto('/?senders=address&range=all');
  const senders = page.getByTestId('table-senders');
  await expect(senders.locator('tbody tr')).not.toHaveCount(0);
  await expect(page.getByTestId('senders-address')).toHaveCount(0);
  expect(await page.locator('main').innerText()).not.toContain('@');

  // What the page does not offer is refused as well.
  const csrf = await page.locator('input[name="csrf"]').inputValue();
  const before = await vigie.service('talker');
  const asked = { headers: { origin: vigie.origin, 'x-csrf-token': csrf }, maxRedirects: 0 };
  for (const path of ['/services/talker/stop', '/api/v1/services/talker/stop']) {
    const answer = await page.request.post(path, asked);
    expect(answer.status(), path).toBe(403);
    expect(await answer.text(), path).toContain('role');
  }
  for (const path of ['/api/v1/services/talker/logs', '/api/v1/services/stream?log=talker', '/api/v1/senders?by=address']) {
    expect((await page.request.get(path)).status(), path).toBe(403);
  }
  expect(await vigie.service('talker')).toMatchObject({ state: 'running', pid: before.pid });
});
