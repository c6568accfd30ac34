/** Repeats work when asked to, but never two at once and never more often than it can bear. */

export class Pace {
  #running = false;
  #wanted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * After each run there is a rest: of `restMs`, or of three times what the run took when that is longer, so that a
   * slow server is not kept busy by the page.
   */
  constructor(
    private readonly run: () => Promise<void>,
    private readonly restMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Asks for a run: at once if it rested, else once the rest is over. Many askings are one run. */
  want(): void {
    if (this.#running || this.#timer !== undefined) {
      this.#wanted = true;
      return;
    }
    void this.#go();
  }

  async #go(): Promise<void> {
    this.#running = true;
    this.#wanted = false;
    const begun = this.now();
    try {
      await this.run();
    } finally {
      this.#running = false;
      const rest = Math.max(this.restMs, 3 * (this.now() - begun));
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (this.#wanted) void this.#go();
      }, rest);
    }
  }
}
