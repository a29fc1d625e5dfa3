// The one place that talks to the shop.  GET /api/config says where the API is and how people sign in; nothing else is fixed.

const TOKEN = 'brew-haven.token';
let configuration;
let session;

/** What the shop refused, in the words of its problem+json: `detail` is a sentence for the person at the screen. */
export class Problem extends Error {
  constructor(body) {
    super(body.detail);
    this.status = body.status;
    this.type = body.type ?? 'about:blank';
    this.detail = body.detail;
    this.errors = body.errors ?? [];
    this.facts = body.facts ?? {};
    this.requestId = body.request_id;
  }
}

const UNREACHABLE = { status: 0, type: 'unreachable', detail: 'We cannot reach the shop just now. Check your connection and try again.' };

export function config() {
  configuration ??= request('GET', '/api/config').catch((problem) => { configuration = undefined; throw problem; });
  return configuration;
}

/** Who is here: {customer|null, csrf_token}.  Asked once a page; `forgetSession` after signing in or out. */
export function whoIsHere() {
  session ??= call('GET', '/session').catch((problem) => { session = undefined; throw problem; });
  return session;
}
export function forgetSession() { session = undefined; }

/** Where a bearer token comes from (phase 3): kept for this tab only. */
export const bearer = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (token) => (token ? sessionStorage.setItem(TOKEN, token) : sessionStorage.removeItem(TOKEN)),
};

export async function call(method, path, { body, signal, key } = {}) {
  const { api_base: base, sign_in: signIn } = await config();
  const headers = {};
  if (key) headers['Idempotency-Key'] = key;
  if (signIn.mode === 'bearer') {
    if (bearer.get()) headers.Authorization = `Bearer ${bearer.get()}`;
  } else if (method !== 'GET') {
    headers['X-CSRF-Token'] = (await whoIsHere()).csrf_token;
  }
  try {
    return await request(method, `${base}${path}`, { body, signal, headers });
  } catch (problem) {
    if (!(await renewed(problem, headers))) throw problem;
    return request(method, `${base}${path}`, { body, signal, headers });
  }
}

/** After a refusal: whether the session has another token by now (it ended, or somebody signed in in another tab). */
async function renewed(problem, headers) {
  const old = headers['X-CSRF-Token'];
  if (!old || (problem.status !== 401 && problem.status !== 403)) return false;
  forgetSession();
  headers['X-CSRF-Token'] = (await whoIsHere()).csrf_token;
  return headers['X-CSRF-Token'] !== old;
}

async function request(method, url, { body, signal, headers = {} } = {}) {
  let response;
  try {
    response = await fetch(url, {
      method, signal, credentials: 'same-origin', cache: 'no-store',
      headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(UNREACHABLE);
  }
  if (response.status === 204) return null;
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Problem({ status: response.status, detail: `The shop gave an answer that we do not understand (${response.status}). Please try again.` });
  }
  if (!response.ok) throw new Problem({ detail: 'Something went wrong. Please try again.', ...answer, status: response.status });
  return answer;
}

/**
 * Calls `show` with every new version of something, for as long as the page is open: long polls, and patience when the
 * shop is away.  `path(version)` is what to ask; `show` may answer false to stop.
 */
export async function follow(path, version, show, { interrupted = () => {} } = {}) {
  for (let patience = 1; ; ) {
    try {
      const answer = await call('GET', path(version));
      patience = 1;
      interrupted(false);
      if (answer.version !== version && show(answer) === false) return;
      version = answer.version;
    } catch (problem) {
      if (problem.status && problem.status < 500 && problem.status !== 429) throw problem;
      interrupted(true);
      await new Promise((resolve) => { setTimeout(resolve, patience * 1000); });
      patience = Math.min(patience * 2, 15);
    }
  }
}
