/** What needs attention, in sentences, from what the API says. Pure. */

import type { Mailbox, Mailboxes, Summary } from './api/types';
import * as format from './format';
import { t } from './texts';

export interface Notice {
  key: string;
  level: 'bad' | 'warn' | 'info';
  title: string;
  detail: string;
  /** Where something can be done about it. */
  services?: boolean;
}

/** Troubles of mailboxes shown one by one; more are in the table. */
const MOST = 4;
/** States that mean that the server was not reached. */
const UNREACHED = new Set(['backing-off', 'connecting', 'stale']);

export function notices(summary: Summary | null, mailboxes: Mailboxes | null, now: Date): Notice[] {
  const found: Notice[] = [];
  if (summary) {
    const ingest = ofIngest(summary, now);
    if (ingest) found.push(ingest);
    const index = ofIndex(summary);
    if (index) found.push(index);
    for (const alarm of summary.alarms) {
      if ((ingest && alarm.code.startsWith('ingest-')) || (index && alarm.code.startsWith('index-'))) continue;
      found.push({
        key: `${alarm.code} ${alarm.subject}`,
        level: 'bad',
        title: `${format.inert(alarm.subject)}: ${format.inert(alarm.text)}`,
        detail: t.notice.since(format.clockOrDay(new Date(alarm.since), now)),
      });
    }
  }
  // Without ingest nobody watches: the mailboxes have nothing of their own to say.
  if (mailboxes && summary?.ingest.running !== false) found.push(...ofMailboxes(mailboxes.items, summary));
  return found;
}

function ofIngest(summary: Summary, now: Date): Notice | null {
  const { running, heartbeat_at } = summary.ingest;
  if (running) return null;
  const detail = heartbeat_at === null ? t.notice.ingest.never : t.notice.ingest.since(format.clockOrDay(new Date(heartbeat_at), now));
  return { key: 'ingest', level: 'bad', title: t.notice.ingest.title, detail, services: true };
}

function ofIndex({ index }: Summary): Notice | null {
  const detail = index.detail === null ? '' : format.inert(index.detail);
  switch (index.state) {
    case 'ok':
      return null;
    case 'waiting':
      return { key: 'index', level: 'warn', title: t.notice.index.waiting, detail };
    case 'catching-up': {
      const behind = index.records_behind === null ? null : format.number(index.records_behind);
      return { key: 'index', level: 'info', title: t.notice.index['catching-up'](behind), detail };
    }
    case 'error':
      return { key: 'index', level: 'bad', title: t.notice.index.error, detail };
  }
}

/** Mailboxes of one account with one trouble are one notice: usually it is the server. */
function ofMailboxes(items: Mailbox[], summary: Summary | null): Notice[] {
  const alarmed = new Set(summary?.alarms.map((alarm) => alarm.subject));
  const groups = new Map<string, Mailbox[]>();
  for (const mailbox of items) {
    if (mailbox.ok || alarmed.has(`${mailbox.account}/${mailbox.mailbox}`) || alarmed.has(mailbox.account)) continue;
    const key = [mailbox.account, mailbox.state, mailbox.reason ?? ''].join('\n');
    groups.set(key, [...(groups.get(key) ?? []), mailbox]);
  }
  const found = [...groups].map(([key, group]) => ofGroup(key, group));
  if (found.length <= MOST) return found;
  const rest = found.length - MOST;
  return [...found.slice(0, MOST), { key: 'more', level: 'warn', title: t.notice.more(rest), detail: '' }];
}

function ofGroup(key: string, group: Mailbox[]): Notice {
  const [first] = group as [Mailbox, ...Mailbox[]];
  const account = format.inert(first.account);
  const word = stateWord(first.state);
  const detail = [first.reason, first.next_step === null ? null : t.mailboxes.next(first.next_step)]
    .filter((part) => part !== null)
    .map((part) => format.inert(part).replace(/\.?$/, '.'))
    .join(' ');
  let title: string;
  if (first.state === 'refused') title = t.notice.refused(account);
  else if (first.reason !== null && UNREACHED.has(first.state)) title = t.notice.server(account);
  else if (group.length === 1) title = t.notice.mailbox(`${account}/${format.inert(first.mailbox)}`, word);
  else title = t.notice.mailboxes(group.length, account, word);
  return { key, level: 'bad', title, detail };
}

/** The state in a word; one that is not known here says its own name. */
export const stateWord = (state: string): string => t.mailboxes.states[state] ?? format.inert(state);
