import { expect, it } from 'vitest';

import type { Mailbox, Mailboxes, Summary } from '../src/api/types';
import { notices } from '../src/notices';

const now = new Date('2026-11-24T22:10:00Z');
const count = { messages: 0, bytes: 0 };
const fine: Summary = {
  as_of: '2026-11-24T22:10:00Z', version: '0.1.0', tz: 'Europe/Paris',
  ingest: { running: true, since: null, heartbeat_at: '2026-11-24T22:09:55Z', version: '0.1.0' },
  index: { state: 'ok', detail: null, last_seq: 1, indexed_seq: 1, records_behind: 0 },
  messages: 1, unique_messages: 1, duplicates: 0, bytes: 1, attachments: 0, attachment_bytes: 0, undated_messages: 0,
  today: count, yesterday: count, last_24_hours: count,
  newest_received_at: null, newest_stored_at: null, oldest_received_at: null,
  accounts: [], mailboxes: { total: 1, ok: 1, trouble: 0 }, archive_disk: null, alarms: [],
};

function box(mailbox: string, change: Partial<Mailbox> = {}): Mailbox {
  return {
    account: 'demo', mailbox, special_use: null, state: 'idle', state_since: null, reason: null, next_step: null,
    server_messages: 1, stored_messages: 1, stored_bytes: 1, skipped: 0, open: 0, gap: 0,
    last_stored_at: null, proof_of_life_at: null, ok: true, ...change,
  };
}
const boxes = (...items: Mailbox[]): Mailboxes => ({ as_of: fine.as_of, ingest_running: true, items });
const titles = (summary: Summary, mailboxes: Mailboxes) => notices(summary, mailboxes, now).map(({ title }) => title);

it('says nothing when nothing is wrong', () => expect(notices(fine, boxes(box('INBOX')), now)).toEqual([]));

it('says that ingest is not running, once for all its mailboxes', () => {
  const stopped = { ...fine, ingest: { ...fine.ingest, running: false } };
  const found = notices(stopped, boxes(box('INBOX', { ok: false, state: 'not-watched' })), now);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ title: 'Ingest is not running.', detail: 'Nothing new is stored; last sign of life 23:09:55.', services: true });
});

it('says once why a server cannot be reached', () => {
  const trouble = { ok: false, state: 'backing-off', reason: 'connection refused', next_step: 'tried again at 23:12' };
  const found = notices(fine, boxes(box('INBOX', trouble), box('Sent', trouble)), now);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ title: 'The mailbox server of demo cannot be reached:', detail: 'connection refused. Next: tried again at 23:12.' });
});

it('does not say twice what is an alarm, too', () => {
  const alarms = [
    { code: 'ingest-not-running', subject: 'ingest', since: fine.as_of, text: 'ingest is not running' },
    { code: 'disk-low', subject: 'archive', since: fine.as_of, text: 'make room' },
  ];
  const stopped = { ...fine, ingest: { ...fine.ingest, running: false }, alarms };
  expect(titles(stopped, boxes())).toEqual(['Ingest is not running.', 'archive: make room']);
});

it('does not repeat an alarm, and makes hostile names inert', () => {
  const alarm = { code: 'mailbox-stale', subject: 'demo/a\u202Eb', since: '2026-11-24T21:00:00Z', text: 'no proof of life' };
  const found = titles({ ...fine, alarms: [alarm] }, boxes(box('a\u202Eb', { ok: false, state: 'stale' })));
  expect(found).toEqual(['demo/a\uFFFDb: no proof of life']);
});

it('leaves many troubles to the table', () => {
  const many = Array.from({ length: 7 }, (_, index) => box(`m${index}`, { ok: false, state: 'stale', reason: `reason ${index}` }));
  expect(titles(fine, boxes(...many)).at(-1)).toBe('3 more in the table of mailboxes.');
});

it('tells of the index', () => {
  const behind = { ...fine, index: { ...fine.index, state: 'catching-up' as const, records_behind: 12_400 } };
  expect(titles(behind, boxes())[0]).toContain('12,400');
  const some = { ...fine, index: { ...behind.index, records_behind: null } };
  expect(titles(some, boxes())[0]).toBe('Reading the archive. The figures grow until it is done.');
  const broken = { ...fine, index: { ...fine.index, state: 'error' as const, detail: 'permission denied' } };
  expect(notices(broken, null, now)[0]).toMatchObject({ level: 'bad', detail: 'permission denied' });
});
