/** What every test has: a Vigie of its worker, a page of somebody who is logged in, and an eye on what a page must not do. */

import { test as base } from '@playwright/test';

import { type Demo, type Role, Vigie } from './vigie';

export { expect } from '@playwright/test';

interface Options {
  /** Who is logged in; null for nobody. */
  role: Role | null;
  /** What the console may complain about, where a test is about failures. */
  tolerated: RegExp;
}

export const test = base.extend<Options & { watched: void }, { demo: Demo; vigie: Vigie }>({
  demo: [{ messages: 300, every: '1s', talker: true }, { option: true, scope: 'worker' }],
  role: ['operator', { option: true }],
  tolerated: [/^$/, { option: true }],

  vigie: [
    async ({ demo }, use) => {
      const vigie = await Vigie.start(demo);
      await use(vigie);
      await vigie.end();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  baseURL: async ({ vigie }, use) => use(vigie.origin),

  storageState: async ({ vigie, role }, use) => {
    if (role === null) return use({ cookies: [], origins: [] });
    const [name = '', value = ''] = vigie.cookies[role].split(/=(.*)/s);
    const cookie = { name, value, domain: '127.0.0.1', path: '/', expires: -1, httpOnly: true, secure: false };
    return use({ cookies: [{ ...cookie, sameSite: 'Strict' }], origins: [] });
  },

  // Errors of script, refusals of the content security policy (the console has them), and requests that leave our address.
  watched: [
    async ({ context, vigie, tolerated }, use, info) => {
      const faults: string[] = [];
      context.on('weberror', (error) => faults.push(String(error.error())));
      context.on('console', (message) => {
        if (message.type() === 'error' && !tolerated.test(message.text())) faults.push(message.text());
      });
      context.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (origin !== vigie.origin && !['data:', 'blob:'].includes(protocol) && !tolerated.test(request.url())) {
          faults.push(`asks for ${request.url()}`);
        }
      });
      await use();
      base.expect(faults).toEqual([]);
      if (info.status !== info.expectedStatus) await info.attach('supervisor.log', { body: vigie.log() });
    },
    { auto: true },
  ],
});
