/** What the page knows, and when it asks again: the answers of the API, the range, the connection. */

import { address } from '../api/client';
import type { Host, HoursAnswer, Mailboxes, Senders, SendersBy, Session, SizesAnswer, Summary, TimeAnswer } from '../api/types';
import { DAY, finest, MINUTE } from '../buckets';
import { slots } from '../palette';
import * as range from '../range';
import { clock } from './clock.svelte';
import { Live } from './live.svelte';
import { Pace } from './pace';
import { Resource } from './resource.svelte';
import { theme } from './theme.svelte';

/** Mail charts follow new mail at most this often. */
const MAIL_REST_MS = 2_000;
/** Points of a line at most: about one per pixel of a wide screen. */
const LINE_POINTS = 1_500;
/** A bucket of a day, then of an hour, then of a minute. */
const REFINEMENTS = 2;
/** Rows of the table of senders: as high as the chart beside it. */
const SENDERS = 10;

export class Dashboard {
  readonly tz = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

  readonly session = new Resource<Session>();
  readonly summary = new Resource<Summary>();
  readonly mailboxes = new Resource<Mailboxes>();
  readonly host = new Resource<Host>();
  readonly messages = new Resource<TimeAnswer>();
  readonly hours = new Resource<HoursAnswer>();
  readonly sizes = new Resource<SizesAnswer>();
  readonly senders = new Resource<Senders>();
  readonly cpu = new Resource<TimeAnswer>();
  readonly memory = new Resource<TimeAnswer>();

  range = $state.raw<range.Range>(range.parse(location.search));
  sendersBy = $state<SendersBy>('domain');
  /** The moment up to which the page is known to be right. */
  asOf = $state<Date | null>(null);
  /** The version of the server that this page belongs to; another one means that the page is old. */
  firstVersion = $state<string | null>(null);

  readonly live: Live;
  /** Addresses are for roles that may see them. */
  seesAddresses = $derived(this.session.data !== null && this.session.data.user?.role !== 'charts');
  /** As one text, which is equal to itself when nothing has changed: colours then do not ask the charts to redraw. */
  #accounts = $derived(
    [
      ...(this.summary.data?.accounts.map((account) => account.id) ?? []),
      ...(this.mailboxes.data?.items.map((mailbox) => mailbox.account) ?? []),
    ]
      .sort()
      .join('\n'),
  );
  #slots = $derived(slots(this.#accounts.split('\n'), theme.palette.accounts.length));

  readonly #mail = new Pace(() => this.#askMail(), MAIL_REST_MS);
  /** Host samples come every 10 seconds; what a chart cannot show is not asked for. */
  #hostAsked = Date.now();
  /** The first sample of the host, when much of the range is older. */
  sampledSince = $state.raw<Date | null>(null);

  constructor() {
    this.live = new Live(this.tz, {
      summary: (summary) => this.#takeSummary(summary),
      // Its `as_of` is when the archive was asked, which may be long ago: it is not the server's clock.
      mailboxes: (mailboxes) => this.mailboxes.take(mailboxes),
      host: (host) => this.#takeHost(host),
      resync: () => this.retry(),
    });
  }

  start(): () => void {
    const ends = [clock.start(), this.live.start()];
    const back = () => this.#shift(range.parse(location.search));
    addEventListener('popstate', back);
    // A moving range moves although nothing arrives.
    const minutely = setInterval(() => {
      if (this.range.kind === 'preset' && !document.hidden && this.live.connection !== 'away') this.#mail.want();
    }, MINUTE);
    void this.#begin();
    return () => {
      removeEventListener('popstate', back);
      clearInterval(minutely);
      for (const end of ends) end();
    };
  }

  /** The range in instants, as of now. */
  resolved(): range.Resolved {
    const oldest = this.summary.data?.oldest_received_at;
    return range.resolve(this.range, clock.exact(), oldest ? new Date(oldest) : null);
  }

  /** Shows another range, and keeps the way back. */
  show(next: range.Range): void {
    const query = range.write(next, location.search);
    if (query !== location.search) history.pushState(null, '', `${location.pathname}${query}`);
    this.#shift(next);
  }

  groupSenders(by: SendersBy): void {
    this.sendersBy = by;
    const parameters = new URLSearchParams(location.search);
    parameters.set('senders', by);
    history.replaceState(null, '', `${location.pathname}?${parameters.toString().replaceAll('%3A', ':')}`);
    void this.senders.ask(this.#sendersUrl());
  }

  colour(account: string | null): string {
    const slot = account === null ? undefined : this.#slots.get(account);
    return (slot === undefined ? undefined : theme.palette.accounts[slot]) ?? theme.palette.rest;
  }

  /** Asks for everything again. */
  retry(): void {
    if (this.session.data === null) void this.#begin();
    else this.#askAll();
  }

  async #begin(): Promise<void> {
    // Which senders may be asked for depends on who asks.
    await this.session.ask(address('session'));
    const wanted = new URLSearchParams(location.search).get('senders');
    this.sendersBy = this.seesAddresses && wanted !== 'domain' ? 'address' : 'domain';
    // "All" begins at the oldest message, which the first summary tells.
    if (this.range.kind === 'preset' && this.range.preset === 'all' && this.summary.data === null) {
      await this.summary.ask(address('summary', { tz: this.tz }));
    }
    this.#askAll();
  }

  #at(time: string): void {
    const at = new Date(time);
    clock.heard(at);
    if (this.asOf === null || at > this.asOf) this.asOf = at;
  }

  #takeSummary(summary: Summary): void {
    const before = this.summary.data;
    this.summary.take(summary);
    this.firstVersion ??= summary.version;
    this.#at(summary.as_of);
    if (before === null) return;
    const moved =
      before.index.indexed_seq !== summary.index.indexed_seq ||
      before.index.state !== summary.index.state ||
      before.messages !== summary.messages;
    if (moved) this.#mail.want();
  }

  #takeHost(host: Host): void {
    const first = this.host.data === null;
    this.host.take(host);
    this.#at(host.as_of);
    if (!first) this.#askHostWhenDue();
  }

  #shift(next: range.Range): void {
    this.range = next;
    this.sampledSince = null;
    this.#askAll();
  }

  #askAll(): void {
    void this.#askMail();
    void this.#askHost();
  }

  async #askMail(): Promise<void> {
    const query = this.#query();
    await Promise.all([
      this.messages.ask(address('series/messages', { ...query, bucket: 'auto', group_by: 'account' })),
      this.hours.ask(address('series/hours', query)),
      this.sizes.ask(address('series/sizes', query)),
      this.senders.ask(this.#sendersUrl()),
    ]);
  }

  #query(): Record<string, string | null> {
    const { from, to } = this.resolved();
    return { from: range.instant(from), to: to === null ? null : range.instant(to), tz: this.tz };
  }

  #sendersUrl(): string {
    return address('senders', { ...this.#query(), by: this.sendersBy, limit: String(SENDERS) });
  }

  #askHostWhenDue(): void {
    const { from, to } = this.resolved();
    if (to !== null && to < clock.exact()) return;
    const begin = this.sampledSince ?? from;
    const step = (clock.exact().getTime() - begin.getTime()) / LINE_POINTS;
    if (Date.now() - this.#hostAsked >= Math.min(step, DAY) - 1_000) void this.#askHost();
  }

  async #askHost(): Promise<void> {
    this.#hostAsked = Date.now();
    for (let round = 0; round <= REFINEMENTS; round += 1) {
      const { from, to } = this.resolved();
      const begin = this.sampledSince ?? from;
      await this.#askHostFrom(begin);
      // Sampling began within the range: its few points are asked for again, in finer buckets.
      const first = this.cpu.data?.series[0]?.points.find(([, value]) => value !== null)?.[0];
      if (first === undefined) return;
      const empty = Date.parse(first) - begin.getTime();
      if (empty < ((to ?? clock.exact()).getTime() - begin.getTime()) / 4) return;
      this.sampledSince = new Date(first);
    }
  }

  async #askHostFrom(from: Date): Promise<void> {
    const { to } = this.resolved();
    const bucket = finest((to ?? clock.exact()).getTime() - from.getTime(), LINE_POINTS);
    const query = { ...this.#query(), from: range.instant(from), bucket };
    await Promise.all([
      this.cpu.ask(address('series/host_cpu', query)),
      this.memory.ask(address('series/host_memory', query)),
    ]);
  }
}
