/** The server's time as far as the page can tell it, moving in steps that ages need. */

const STEP_MS = 5_000;
/** Below this a difference is the way of the answer, not a wrong clock. */
const TOLERANCE_MS = 30_000;

class Clock {
  now = $state(new Date());
  #ahead = 0;

  start(): () => void {
    const timer = setInterval(() => this.#tick(), STEP_MS);
    return () => clearInterval(timer);
  }

  /** The server just said that it is `time` there. */
  heard(time: Date): void {
    const ahead = time.getTime() - Date.now();
    this.#ahead = Math.abs(ahead) > TOLERANCE_MS ? ahead : 0;
    this.#tick();
  }

  /** Now, to the millisecond, for arithmetic rather than for show. */
  exact(): Date {
    return new Date(Date.now() + this.#ahead);
  }

  #tick(): void {
    this.now = this.exact();
  }
}

export const clock = new Clock();
