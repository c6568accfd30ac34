/** The answers of the API, `/api/v1`, as the dashboard reads them. Times are RFC 3339, sizes bytes, durations seconds. */

export type Role = 'charts' | 'reader' | 'operator';

export interface Session {
  user: { name: string; role: Role } | null;
  /** No user exists: whoever reaches this address from the machine itself may look. */
  open: boolean;
  csrf: string;
}

export interface Count {
  messages: number;
  bytes: number;
}

export interface Alarm {
  code: string;
  subject: string;
  since: string;
  text: string;
}

export interface Summary {
  as_of: string;
  version: string;
  tz: string;
  ingest: { running: boolean; since: string | null; heartbeat_at: string | null; version: string | null };
  index: {
    state: 'ok' | 'waiting' | 'catching-up' | 'error';
    /** These are null for who sees some accounts only: they are about everything. */
    detail: string | null;
    last_seq: number | null;
    indexed_seq: number | null;
    records_behind: number | null;
  };
  messages: number;
  unique_messages: number;
  duplicates: number;
  bytes: number;
  attachments: number;
  attachment_bytes: number;
  undated_messages: number;
  today: Count;
  yesterday: Count;
  last_24_hours: Count;
  newest_received_at: string | null;
  newest_stored_at: string | null;
  oldest_received_at: string | null;
  accounts: ({ id: string } & Count)[];
  mailboxes: { total: number; ok: number; trouble: number };
  archive_disk: { total_bytes: number; free_bytes: number } | null;
  alarms: Alarm[];
}

export type Bucket = '1m' | '15m' | '1h' | '1d' | '1w' | '1mo';

interface SeriesOf<Point> {
  labels: Record<string, string | null>;
  points: Point[];
  total?: number | null;
  rest?: boolean;
}

interface Answer<Point> {
  metric: string;
  unit: string;
  from: string;
  to: string;
  tz: string;
  series: SeriesOf<Point>[];
  complete: boolean;
  generated_at: string;
}

/** A value per bucket; null where nothing is known. */
export type TimeAnswer = Answer<[string, number | null]> & { kind: 'time'; bucket: Bucket };
/** A count per size class, by its lower bound. */
export type SizesAnswer = Answer<[number, number]> & { kind: 'histogram'; bucket: null };
/** A count per weekday (1 = Monday) and hour of the day. */
export type HoursAnswer = Answer<[number, number, number]> & { kind: 'matrix'; bucket: null };

export interface Mailbox {
  account: string;
  mailbox: string;
  special_use: string | null;
  state: string;
  state_since: string | null;
  reason: string | null;
  next_step: string | null;
  server_messages: number | null;
  stored_messages: number;
  stored_bytes: number;
  skipped: number;
  open: number;
  gap: number | null;
  last_stored_at: string | null;
  proof_of_life_at: string | null;
  ok: boolean;
}

export interface Mailboxes {
  as_of: string;
  ingest_running: boolean;
  items: Mailbox[];
}

export type SendersBy = 'address' | 'domain';

export interface Senders {
  from: string;
  to: string;
  by: SendersBy;
  items: { sender: string; messages: number; bytes: number; first_at: string; last_at: string }[];
  senders: number;
}

export interface Host {
  as_of: string;
  hostname: string;
  uptime_seconds: number;
  cpu: { cores: number; usage: number | null };
  load: number[];
  memory: { total_bytes: number; used_bytes: number; available_bytes: number; limit_bytes: number | null };
  processes: { name: string; pid: number; cpu: number | null; resident_bytes: number }[];
}
