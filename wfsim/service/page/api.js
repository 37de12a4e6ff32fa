/** What the page asks of the service. The key lives here, and nowhere else: it is gone with the page. */

let key = null;

/** What the service refused, as it says itself. */
export class Problem extends Error {
  constructor(status, told) {
    super(told.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.code = told.code;
    this.advice = told.advice;
    this.request = told.request;
  }
}

/** From now on requests carry this key; null: none. */
export function use(given) {
  key = given;
}

function headers(more = {}) {
  return key === null ? more : { Authorization: `Bearer ${key}`, ...more };
}

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "omit", ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "unreachable", detail: "The service cannot be reached.", advice: "Look whether it runs." });
  }
  if (answer.ok) return answer;
  let told = {};
  try {
    told = await answer.json();
  } catch {
    // Perhaps a proxy's: its status says enough.
  }
  throw new Problem(answer.status, told);
}

/** The path of names, each of which may hold anything. */
export function path(...names) {
  return `/v1/${names.map(encodeURIComponent).join("/")}`;
}

export async function get(at, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return (await asked(text ? `${at}?${text}` : at)).json();
}

export async function text(at) {
  return (await asked(at)).text();
}

/** Do something, once, under a key of its own. */
export async function post(at, body) {
  const random = [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
  const more = { "Content-Type": "application/json", "Idempotency-Key": random };
  return (await asked(at, { method: "POST", body: JSON.stringify(body), headers: more })).json();
}

/**
 * Server-sent events, from `fetch`, as an EventSource sends no key. Comes back by itself until `signal` is aborted.
 * @param {string} at
 * @param {(event: string, data: any) => void} tell
 * @param {(connected: boolean) => void} state
 * @param {AbortSignal} signal
 */
export async function follow(at, last, tell, state, signal) {
  let pause = 1000;
  while (!signal.aborted) {
    try {
      const more = last === null ? {} : { "Last-Event-ID": String(last) };
      const answer = await asked(at, { headers: more, signal });
      state(true);
      pause = 1000;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) {
          const fields = Object.fromEntries(part.split("\n").map((line) => {
            const n = line.indexOf(": ");
            return [line.slice(0, n), line.slice(n + 2)];
          }));
          if (fields.id !== undefined) last = fields.id;
          if (fields.event === "closed") {
            tell("closed", {});
            return;
          }
          if (fields.event !== undefined) tell(fields.event, JSON.parse(fields.data));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && [401, 403, 404].includes(error.status)) throw error;
    }
    if (signal.aborted) return;
    state(false);
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(2 * pause, 15000);
  }
}
