/** One answer of the API on the page: what is known, whether it is being asked for, and why it is not newer. */

import { get, Problem } from '../api/client';

export class Resource<T> {
  data = $state.raw<T | null>(null);
  problem = $state<Problem | null>(null);
  loading = $state(false);
  /** What the data answer; changes only together with them. */
  url = $state<string | null>(null);
  #asked: AbortController | null = null;

  /** Asks; a question that is still open is dropped. What is on the page stays until the answer is there. */
  async ask(url: string): Promise<void> {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.loading = true;
    try {
      const data = await get<T>(url, asked.signal);
      if (this.#asked !== asked) return;
      this.url = url;
      this.take(data);
    } catch (error) {
      if (this.#asked !== asked) return;
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
    } finally {
      if (this.#asked === asked) this.loading = false;
    }
  }

  /** Takes an answer that came by the stream. */
  take(data: T): void {
    this.data = data;
    this.problem = null;
  }
}
