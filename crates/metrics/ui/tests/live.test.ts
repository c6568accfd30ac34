import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Live, type Listener } from '../src/state/live.svelte';

/** A stream whose words and end the test decides. */
class Stream extends EventTarget {
  static all: Stream[] = [];
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {
    super();
    Stream.all.push(this);
  }
  close(): void {
    this.closed = true;
  }
  say(event: string, data: object = {}): void {
    this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
  }
}
const stream = () => Stream.all.at(-1) as Stream;

let answers: boolean;
let listener: { [name in keyof Listener]: ReturnType<typeof vi.fn<() => void>> };
let live: Live;
let end: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  answers = true;
  Stream.all = [];
  const page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', page);
  vi.stubGlobal('EventSource', Stream);
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
  vi.stubGlobal('fetch', async () => {
    if (!answers) throw new TypeError('refused');
    return new Response('{}', { status: 200 });
  });
  listener = { summary: vi.fn(), mailboxes: vi.fn(), host: vi.fn(), resync: vi.fn() };
  live = new Live('Europe/Paris', listener);
  end = live.start();
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  end();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('is live from the first word of the stream on, and asks for nothing while it speaks', async () => {
  expect(live.connection).toBe('connecting');
  expect(stream().url).toBe('/api/v1/stream?tz=Europe%2FParis');
  for (let round = 0; round < 12; round += 1) {
    stream().say('host');
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(live.connection).toBe('live');
  expect(Stream.all).toHaveLength(1);
  expect(listener.summary).toHaveBeenCalledTimes(1);
  expect(listener.resync).not.toHaveBeenCalled();
});

it('says since when the server is away, and catches up when it is back', async () => {
  stream().say('summary');
  const heard = new Date();
  await vi.advanceTimersByTimeAsync(5_000);
  answers = false;
  stream().onerror?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(live.connection).toBe('away');
  const since = live.since;
  expect(since).toEqual(heard);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(live.since).toEqual(since);
  expect(live.reason).toBe('no connection to the server');

  answers = true;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(live.connection).toBe('connecting');
  expect(live.since).toBeNull();
  stream().say('summary');
  expect(live.connection).toBe('live');
  expect(listener.resync).toHaveBeenCalledTimes(1);
});

it('polls when the stream does not work, and goes on trying it', async () => {
  stream().onerror?.();
  await vi.advanceTimersByTimeAsync(0);
  const before = listener.summary.mock.calls.length;
  for (let round = 0; round < 6; round += 1) {
    stream().onerror?.();
    expect(live.connection).toBe('polling');
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(listener.summary.mock.calls.length - before).toBe(6);
  stream().say('host');
  expect(live.connection).toBe('live');
});

it('does not believe a stream that is open and silent', async () => {
  await vi.advanceTimersByTimeAsync(12_000);
  const deaf = Stream.all[0] as Stream;
  expect(deaf.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(live.connection).toBe('polling');
});

it('lets go of the stream while nobody looks', async () => {
  stream().say('host');
  Object.assign(document, { hidden: true });
  document.dispatchEvent(new Event('visibilitychange'));
  expect(stream().closed).toBe(true);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(Stream.all).toHaveLength(1);
  Object.assign(document, { hidden: false });
  document.dispatchEvent(new Event('visibilitychange'));
  await vi.advanceTimersByTimeAsync(0);
  expect(Stream.all).toHaveLength(2);
  expect(listener.resync).toHaveBeenCalledTimes(1);
});

it('keeps what the stream told, whatever an answer on its way says of before', async () => {
  end();
  listener = { summary: vi.fn(), mailboxes: vi.fn(), host: vi.fn(), resync: vi.fn() };
  const waiting: (() => void)[] = [];
  vi.stubGlobal('fetch', async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return new Response(JSON.stringify({ as_of: '2026-11-24T22:10:00Z' }), { status: 200 });
  });
  live = new Live('Europe/Paris', listener);
  end = live.start();
  stream().say('summary', { as_of: '2026-11-24T22:10:00.5Z' });
  stream().say('mailboxes', { as_of: '2026-11-24T22:09:59Z' });
  for (const give of waiting) give();
  await vi.advanceTimersByTimeAsync(0);
  expect(listener.summary).toHaveBeenCalledTimes(1);
  expect(listener.mailboxes).toHaveBeenCalledTimes(2);
});
