import { afterEach, beforeEach, expect, it, vi } from 'vitest';

/** What the streams listen for. */
let tell: (event: string, data: object) => void;

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-24T22:10:00Z') });
  class Stream extends EventTarget {
    constructor() {
      super();
      tell = (event, data) => this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
    }
    close(): void {}
  }
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false, documentElement: { dataset: {} } }));
  vi.stubGlobal('location', { search: '', pathname: '/' });
  vi.stubGlobal('matchMedia', () => Object.assign(new EventTarget(), { matches: false }));
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => {} });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
  vi.stubGlobal('EventSource', Stream);
  vi.stubGlobal('fetch', () => new Promise(() => {}));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('does not set its clock by when the archive was last asked', async () => {
  const { Dashboard } = await import('../src/state/dashboard.svelte');
  const { clock } = await import('../src/state/clock.svelte');
  const dashboard = new Dashboard();
  const end = dashboard.start();
  tell('mailboxes', { as_of: '2026-11-24T21:00:00Z', ingest_running: false, items: [] });
  expect(clock.exact()).toEqual(new Date('2026-11-24T22:10:00Z'));
  tell('host', { as_of: '2026-11-24T22:20:00Z' });
  expect(clock.exact()).toEqual(new Date('2026-11-24T22:20:00Z'));
  end();
});
