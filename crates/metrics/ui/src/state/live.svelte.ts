/**
 * The connection to the server: one event stream while it works, polling while it does not, and in words what is
 * wrong. A hidden page lets go of its stream, since a browser has only six connections to a server over HTTP/1.1.
 */

import { address, get, Problem } from '../api/client';
import type { Host, Mailboxes, Summary } from '../api/types';
import { t } from '../texts';

export type Connection = 'connecting' | 'live' | 'polling' | 'away';

export interface Listener {
  summary(summary: Summary): void;
  mailboxes(mailboxes: Mailboxes): void;
  host(host: Host): void;
  /** Something may have been missed: what the page shows is to be asked for again. */
  resync(): void;
}

/** A stream that works says something every 10 seconds (`host`); silent for this long, it is taken for dead. */
const SILENCE_MS = 25_000;
/** A new stream has this long for its first word. */
const FIRST_WORD_MS = 12_000;
const POLL_MS = 10_000;
const RETRY_MS = 3_000;

export class Live {
  connection = $state<Connection>('connecting');
  /** While away: since when, which is when it was last heard of if it ever was, and why. */
  since = $state<Date | null>(null);
  reason = $state('');

  #stream: EventSource | null = null;
  /** Streams in a row that ended without a word. */
  #failures = 0;
  #lastHeard: Date | null = null;
  #missed = false;
  #polling = false;
  /** As of when the stream last told of each thing: an answer that was on its way meanwhile may be older. */
  readonly #told = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly tz: string,
    private readonly listener: Listener,
  ) {}

  /** Begins, and returns how to end. */
  start(): () => void {
    const seen = () => {
      if (document.hidden) this.#rest();
      else void this.#poll();
    };
    const online = () => void this.#poll();
    document.addEventListener('visibilitychange', seen);
    addEventListener('online', online);
    void this.#poll();
    this.#open();
    return () => {
      document.removeEventListener('visibilitychange', seen);
      removeEventListener('online', online);
      this.#rest();
    };
  }

  #open(): void {
    const stream = new EventSource(address('stream', { tz: this.tz }));
    this.#stream = stream;
    stream.onerror = () => this.#broken();
    const on = (event: string, take: (data: string) => void) =>
      stream.addEventListener(event, (message: MessageEvent<string>) => {
        take(message.data);
        this.#heard();
      });
    const state = <T extends { as_of: string }>(event: string, take: (state: T) => void) =>
      on(event, (data) => {
        const told = JSON.parse(data) as T;
        this.#told.set(event, Date.parse(told.as_of));
        take(told);
      });
    state<Summary>('summary', (summary) => this.listener.summary(summary));
    state<Mailboxes>('mailboxes', (mailboxes) => this.listener.mailboxes(mailboxes));
    state<Host>('host', (host) => this.listener.host(host));
    on('messages', () => {});
    on('resync', () => this.listener.resync());
  }

  #heard(): void {
    this.#failures = 0;
    this.connection = 'live';
    this.#caughtUp();
    this.#expect(SILENCE_MS);
  }

  #broken(): void {
    this.#drop();
    if (this.#failures === 1) {
      void this.#poll();
      return;
    }
    if (this.connection !== 'away') this.connection = 'polling';
    this.#expect(POLL_MS);
  }

  /** If nothing is heard for `ms`, the stream is given up and the plain way is taken. */
  #expect(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#drop();
      void this.#poll();
    }, ms);
  }

  /** Asks the plain way: it tells what is wrong, and keeps the figures going when only the stream is. */
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      const [summary, mailboxes, host] = await Promise.all([
        get<Summary>(address('summary', { tz: this.tz })),
        get<Mailboxes>(address('mailboxes')),
        // In its first second metrics has not looked at the host yet.
        get<Host>(address('host')).catch(() => null),
      ]);
      if (!this.#isOld('summary', summary)) this.listener.summary(summary);
      if (!this.#isOld('mailboxes', mailboxes)) this.listener.mailboxes(mailboxes);
      if (host && !this.#isOld('host', host)) this.listener.host(host);
      this.#answered();
    } catch (error) {
      this.#unanswered(error instanceof Problem ? error.message : t.problem.unreadable);
    } finally {
      this.#polling = false;
    }
  }

  #isOld(event: string, answer: { as_of: string }): boolean {
    return Date.parse(answer.as_of) < (this.#told.get(event) ?? 0);
  }

  #answered(): void {
    if (this.connection === 'live' && this.#stream !== null) return;
    this.connection = this.#failures > 1 ? 'polling' : 'connecting';
    this.#caughtUp();
    if (document.hidden) return;
    if (this.#stream === null) this.#open();
    this.#expect(FIRST_WORD_MS);
  }

  #unanswered(why: string): void {
    this.#drop();
    this.since ??= this.#lastHeard ?? new Date();
    this.reason = why;
    this.connection = 'away';
    if (!document.hidden) this.#expect(RETRY_MS);
  }

  #caughtUp(): void {
    this.#lastHeard = new Date();
    this.since = null;
    if (!this.#missed) return;
    this.#missed = false;
    this.listener.resync();
  }

  #drop(): void {
    if (this.#stream === null) return;
    this.#stream.close();
    this.#stream = null;
    this.#told.clear();
    this.#failures += 1;
    this.#missed = true;
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
    this.#told.clear();
    this.#missed = true;
  }
}
