import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Pace } from '../src/state/pace';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

it('runs at once, then rests, and makes one run of many wishes', async () => {
  const run = vi.fn(async () => {});
  const pace = new Pace(run, 2_000, () => Date.now());
  pace.want();
  expect(run).toHaveBeenCalledTimes(1);
  for (let wish = 0; wish < 50; wish += 1) pace.want();
  await vi.advanceTimersByTimeAsync(1_999);
  expect(run).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(run).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(run).toHaveBeenCalledTimes(2);
});

it('rests longer when the server is slow, and is not stopped by a failure', async () => {
  const run = vi.fn(async () => wait(3_000));
  const pace = new Pace(run, 2_000, () => Date.now());
  pace.want();
  await vi.advanceTimersByTimeAsync(1_000);
  pace.want();
  await vi.advanceTimersByTimeAsync(10_999);
  expect(run).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(run).toHaveBeenCalledTimes(2);
});
