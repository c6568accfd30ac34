/** Asking the API: JSON in, or a `Problem` that says why not. An expired session leads to the login page. */

import { t } from '../texts';

/** Why an answer did not come, in words for the page. */
export class Problem extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 when there was no answer at all. */
    readonly status: number,
  ) {
    super(message);
  }
}

const PATIENCE_MS = 10_000;

/** `/api/v1/<path>` with its query; parameters that are null are left out. */
export function address(path: string, query: Record<string, string | null> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null) parameters.set(name, value);
  }
  const text = parameters.toString();
  return `/api/v1/${path}${text === '' ? '' : `?${text}`}`;
}

export async function get<T>(url: string, abandoned?: AbortSignal): Promise<T> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = abandoned ? AbortSignal.any([abandoned, patience]) : patience;
  let response: Response;
  try {
    response = await fetch(url, { signal, headers: { accept: 'application/json' }, cache: 'no-store' });
  } catch (error) {
    if (abandoned?.aborted) throw error;
    if (patience.aborted) throw new Problem(t.problem.slow(PATIENCE_MS / 1000), 0);
    throw new Problem(navigator.onLine ? t.problem.unreachable : t.problem.offline, 0);
  }
  if (response.status === 401) {
    logIn();
    throw new Problem(t.problem.loggedOut, 401);
  }
  if (!response.ok) throw new Problem(await explain(response), response.status);
  try {
    return (await response.json()) as T;
  } catch {
    throw new Problem(t.problem.unreadable, response.status);
  }
}

function logIn(): void {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** What a refusal says about itself: RFC 9457, or its status. */
async function explain(response: Response): Promise<string> {
  if ((response.headers.get('content-type') ?? '').includes('json')) {
    try {
      const problem = (await response.json()) as { title?: unknown; detail?: unknown };
      if (typeof problem.detail === 'string') return problem.detail;
      if (typeof problem.title === 'string') return problem.title;
    } catch {
      // The status alone has to do.
    }
  }
  return t.problem.status(response.status);
}
