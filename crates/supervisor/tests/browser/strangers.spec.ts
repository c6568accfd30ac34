/** Pages of strangers, open in the browser of an operator, change nothing. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, test } from './fixtures';

/** What strangers' pages ask for, and what the browser says about it, is not ours. */
test.use({ tolerated: /./ });

let server: Server;
let port: number;
/** What the stranger's page is. */
let html = '';

test.beforeAll(async () => {
  server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(html)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
test.afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const sandbox = (inner: string) => `<iframe sandbox="allow-forms" srcdoc="${inner.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>`;

const strangers: { name: string; url: (html: string) => string; wrapped?: (inner: string) => string; cookie: boolean }[] = [
  // Another port is the same site: the browser sends the cookie along.
  { name: 'another port', url: () => `http://127.0.0.1:${port}/stranger`, cookie: true },
  { name: 'another name of this machine', url: () => `http://localhost:${port}/stranger`, cookie: false },
  { name: 'a data: page (Origin: null)', url: (html) => `data:text/html,${encodeURIComponent(html)}`, cookie: false },
  { name: 'a sandboxed frame (Origin: null)', url: () => `http://127.0.0.1:${port}/stranger`, wrapped: sandbox, cookie: false },
];

for (const { name, url, wrapped = (inner: string) => inner, cookie } of strangers) {
  test(`a form of ${name} is refused`, async ({ page, vigie }) => {
    // Even if the stranger knew the token.
    await page.goto('/services');
    const csrf = await page.locator('input[name="csrf"]').first().inputValue();
    const before = [await vigie.service('talker'), await vigie.events('talker')];

    html = wrapped(
      `<form method="post" action="${vigie.origin}/services/talker/stop"><input name="csrf" value="${csrf}"><button>Win</button></form>`,
    );
    await page.goto(url(html));
    const frame = html.startsWith('<iframe') ? page.frameLocator('iframe') : page;
    const answered = page.waitForResponse((answer) => answer.request().method() === 'POST');
    await frame.getByRole('button').click();
    const answer = await answered;
    expect(answer.status()).toBe(403);
    const sent = await answer.request().allHeaders();
    expect(sent['cookie']?.includes('vigie=') ?? false).toBe(cookie);

    const [service, events] = [await vigie.service('talker'), await vigie.events('talker')];
    expect([{ state: service.state, pid: service.pid }, events]).toEqual([
      { state: 'running', pid: (before[0] as { pid: number }).pid },
      before[1],
    ]);
  });
}

test('script of another port cannot command, and cannot read', async ({ page, vigie }) => {
  html = '';
  await page.goto(`http://127.0.0.1:${port}/stranger`);
  const before = await vigie.service('talker');
  const tried = await page.evaluate(async (origin) => {
    const ask = (path: string, request: RequestInit) =>
      fetch(origin + path, { credentials: 'include', ...request }).then(
        (answer) => `${answer.type} ${answer.status}`,
        () => 'refused',
      );
    return [
      await ask('/api/v1/services/talker/stop', { method: 'POST', mode: 'no-cors' }),
      await ask('/api/v1/services/talker/stop', { method: 'POST', headers: { 'x-csrf-token': 'x' } }),
      await ask('/api/v1/summary', {}),
    ];
  }, vigie.origin);
  // Opaque: the page learns nothing of the answer.
  for (const outcome of tried) expect(['opaque 0', 'refused']).toContain(outcome);
  expect(await vigie.service('talker')).toMatchObject({ state: 'running', pid: before.pid });
});
