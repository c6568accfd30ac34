/** What a screen reader is told: everything that can be used, and every drawing, has a name. */

import { expect, test } from './fixtures';

const NAMED = ['button', 'link', 'textbox', 'image', 'DisclosureTriangle', 'table', 'region', 'log', 'navigation', 'Date'];

for (const path of ['/?range=all', '/services', '/login']) {
  test.describe(path, () => {
    test.use({ role: path === '/login' ? null : 'operator' });

    test('names', async ({ page }) => {
      await page.goto(path);
      const drawings = page.locator('[role="img"]');
      if (path.startsWith('/?')) {
        await expect(drawings).toHaveCount(5);
        await expect(page.getByTestId('mailbox').first()).toBeVisible();
      }
      const session = await page.context().newCDPSession(page);
      const { nodes } = await session.send('Accessibility.getFullAXTree');
      const told = nodes
        .filter((node) => !node.ignored && NAMED.includes(String(node.role?.value)))
        .map((node) => ({ role: node.role?.value as string, name: String(node.name?.value ?? '').trim() }));
      expect(told.filter(({ name }) => name === '')).toEqual([]);
      expect(told.length).toBeGreaterThan(2);
      const images = told.filter(({ role }) => role === 'image').map(({ name }) => name);
      if (path.startsWith('/?')) {
        for (const title of ['Messages a', 'Hour by weekday', 'Message sizes', 'CPU', 'Memory']) {
          expect(images.some((name) => name.startsWith(title)), title).toBe(true);
        }
      }
    });
  });
}
