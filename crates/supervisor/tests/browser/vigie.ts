/** The real supervisor with the demo mailbox, ingest and metrics, in a folder and on ports of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { expect } from '@playwright/test';

export const ROLES = ['operator', 'charts'] as const;
export type Role = (typeof ROLES)[number];

/** Every user is called as its role, and has this password. */
export const PASSWORD = 'demo';
const HASH = '$argon2id$v=19$m=19456,t=2,p=1$B/8h+wu3mquihDUkXhUwug$HFYrn+ClyP226k30+9O1xLCf6QFzrLp1XLEeP4951JU';

/** What a page must show and never do. */
export const HOSTILE = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>';

export interface Demo {
  messages: number;
  every: string;
  /** Whether there is `talker`, a service that says something hostile each second. */
  talker: boolean;
}

export interface Service {
  id: string;
  state: string;
  pid: number | null;
}

const BINARIES = process.env['VIGIE_BINARIES'] ?? resolve(import.meta.dirname, '../../../../target/debug');
/** Beyond the 20 s that the supervisor takes at most. */
const STOP_MS = 30_000;

export class Vigie {
  private constructor(
    readonly folder: string,
    readonly origin: string,
    private readonly process: ChildProcess,
    /** Cookie of each role. */
    readonly cookies: Record<Role, string>,
  ) {}

  /** Starts everything, and waits until all of it is ready and the mail that was there is counted. */
  static async start(demo: Demo): Promise<Vigie> {
    const folder = mkdtempSync(join(tmpdir(), 'vigie-browser-'));
    const [door, metrics, ingest, mailbox] = (await freePorts(4)) as [number, number, number, number];
    const origin = `http://127.0.0.1:${door}`;
    writeFileSync(join(folder, 'vigie.toml'), configuration(demo, { door, metrics, ingest, mailbox }));
    const log = openSync(join(folder, 'supervisor.log'), 'a');
    const child = spawn(join(BINARIES, 'vigie-supervisor'), ['run', '--config', join(folder, 'vigie.toml')], {
      cwd: folder,
      // Whatever ends us ends it, and with it all that it has started.
      env: { PATH: process.env['PATH'], VIGIE_LIFELINE: '1' },
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    const vigie = new Vigie(folder, origin, child, { operator: '', charts: '' });
    try {
      await once(child, 'spawn');
      await vigie.isReady();
      for (const role of ROLES) vigie.cookies[role] = await vigie.logIn(role);
      const page = await fetch(origin, { headers: { cookie: vigie.cookies.operator } });
      if (!(await page.text()).includes('id="app"')) {
        throw new Error('vigie-metrics was built without its dashboard: touch crates/metrics/build.rs, and build it again');
      }
      const counted = async () => ((await vigie.api('summary')) as { messages: number }).messages;
      await expect.poll(counted, { timeout: 90_000 }).toBeGreaterThanOrEqual(demo.messages);
      return vigie;
    } catch (error) {
      const log = vigie.log();
      await vigie.end().catch(() => {});
      throw new Error(`Vigie cannot be tested: ${String(error)}\n${log}`);
    }
  }

  private async isReady(): Promise<void> {
    const ready = async () => {
      if (this.process.exitCode !== null) return `ended with ${this.process.exitCode}`;
      return fetch(`${this.origin}/readyz`).then(
        (answer) => answer.status,
        () => 'not there yet',
      );
    };
    await expect.poll(ready, { timeout: 60_000 }).toBe(200);
  }

  /** What the form of the log-in page does. */
  private async logIn(name: Role): Promise<string> {
    const form = await fetch(`${this.origin}/login`);
    const csrf = /name="csrf" value="([^"]+)"/.exec(await form.text())?.[1] ?? '';
    const answer = await fetch(`${this.origin}/login`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: this.origin, cookie: value(form) },
      body: new URLSearchParams({ csrf, name, password: PASSWORD, next: '/' }),
    });
    expect(answer.status).toBe(303);
    return value(answer);
  }

  /** The answer of `/api/v1/PATH` to the operator. */
  async api(path: string): Promise<unknown> {
    const answer = await fetch(`${this.origin}/api/v1/${path}`, { headers: { cookie: this.cookies.operator } });
    return answer.ok ? answer.json() : {};
  }

  async service(id: string): Promise<Service> {
    return (await this.api(`services/${id}`)) as Service;
  }

  /** How often something has happened to a service. */
  async events(id: string): Promise<number> {
    const { items } = (await this.api('services/events')) as { items: { service: string }[] };
    return items.filter(({ service }) => service === id).length;
  }

  /** A command of the supervisor's, such as `stop metrics`. */
  async command(...words: string[]): Promise<void> {
    const program = join(BINARIES, 'vigie-supervisor');
    await promisify(execFile)(program, [...words, '--config', join(this.folder, 'vigie.toml')], { timeout: 60_000 });
  }

  /** The last lines of what the supervisor said. */
  log(): string {
    return readFileSync(join(this.folder, 'supervisor.log'), 'utf8').split('\n').slice(-40).join('\n');
  }

  /** Stops everything, and sees that nothing is left. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.pid !== undefined) {
      const ended = once(this.process, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
      this.process.kill('SIGTERM');
      try {
        await ended;
      } catch {
        this.process.kill('SIGKILL');
        throw new Error(`the supervisor does not end:\n${this.log()}`);
      }
    }
    await expect.poll(() => living(this.folder), { timeout: 10_000 }).toEqual([]);
    rmSync(this.folder, { recursive: true });
  }
}

function value(answer: Response): string {
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

/** Processes that have to do with a folder. */
function living(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return words.includes(folder) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) ? [`${pid}: ${words}`] : [];
      } catch {
        return [];
      }
    });
}

/** Ports that nobody has; all are held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function configuration(demo: Demo, ports: Record<'door' | 'metrics' | 'ingest' | 'mailbox', number>): string {
  const talk = `n=0; while :; do n=$((n+1)); echo '${HOSTILE}' line $n; sleep 1; done`;
  const talker = ['[[service]]', 'id = "talker"', `command = ["sh", "-c", ${JSON.stringify(talk)}]`];
  const users = ROLES.flatMap((role) => ['[[user]]', `name = "${role}"`, `password_hash = "${HASH}"`, `role = "${role}"`]);
  return `
[vigie]
data = "."

[archive]
min_free = "1MiB"

[[account]]
id = "demo"
host = "localhost"
port = ${ports.mailbox}
ca_file = "mailbox/ca.pem"
user = "demo@example.org"
password_file = "mailbox/password"
mailboxes = ["*"]

[ingest]
listen = "127.0.0.1:${ports.ingest}"
needs = ["mailbox"]

[metrics]
listen = "127.0.0.1:${ports.metrics}"

[supervisor]
listen = "127.0.0.1:${ports.door}"

[[service]]
id = "mailbox"
command = ["vigie-demo-mailbox", "--listen", "127.0.0.1:${ports.mailbox}", "--state", "mailbox",
    "--messages", "${demo.messages}", "--every", "${demo.every}"]
notify = true

${demo.talker ? talker.join('\n') : ''}
${users.join('\n')}
`;
}
