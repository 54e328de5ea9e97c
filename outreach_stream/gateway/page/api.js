// The API: JSON in and out, with the reader's token, and errors that say what to do.

const TOKEN = "outreach.token";
const PATIENCE = 20_000; // milliseconds: a look at a database may take ten seconds
const BASE = new URL("api/v1/", document.baseURI);

/** An answer that is no success: `status` 0 means that there was none. */
export class ApiError extends Error {
  constructor(status, detail, retryAfter = null) {
    super(detail);
    Object.assign(this, { status, retryAfter });
  }
}

let onUnauthorized = async () => false;

/** What is done at a 401: it resolves to whether there is a new token to try. */
export function whenUnauthorized(ask) {
  onUnauthorized = ask;
}

// Kept for this tab only: who closes it has signed out.
export const token = () => sessionStorage.getItem(TOKEN);
export const setToken = (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN));

export const headers = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** An address of the API; parameters that are null are left out, lists are repeated. */
export function address(path, parameters = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(parameters))
    for (const each of [value].flat())
      if (each !== null && each !== undefined && each !== "") url.searchParams.append(name, each);
  return url;
}

/** GET. */
export const get = (path, parameters, options) => ask(address(path, parameters), { ...options });

/** POST. */
export const post = (path, body = {}, more = {}) =>
  ask(address(path), {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...more },
  });

/** GET, or null where this gateway has no such address (yet). */
export async function getIfThere(path, parameters) {
  try {
    return await get(path, parameters);
  } catch (error) {
    if (error.status === 404 || error.status === 405) return null;
    throw error;
  }
}

/** Whose token it is, before it is in use: `{ name, scopes }`, or null where nobody is asked for one. */
export async function tokenHolder(candidate) {
  let answer;
  try {
    answer = await fetch(address("me"), { headers: { Authorization: `Bearer ${candidate}` } });
  } catch {
    throw new Error("The gateway does not answer. Try it again in a moment.");
  }
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error((await problem(answer)).message);
  return answer.json();
}

/** The gateway's health, which is no part of the API's version. */
export const health = () => ask(new URL("health", document.baseURI), { passing: [503] });

async function ask(url, { passing = [], again = true, signal = null, ...options }) {
  const patience = AbortSignal.timeout(PATIENCE);
  const used = token();
  let answer;
  try {
    answer = await fetch(url, {
      ...options,
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      headers: { Accept: "application/json", ...headers(), ...options.headers },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The gateway does not answer. Is it running? This page tries again by itself.");
  }
  if (answer.ok || passing.includes(answer.status)) return answer.status === 204 ? null : answer.json();
  // Another request may have been given the new token meanwhile.
  if (answer.status === 401 && again && (token() !== used || (await onUnauthorized())))
    return ask(url, { ...options, signal, passing, again: false });
  throw await problem(answer);
}

/** The error that an answer is. */
export async function problem(answer) {
  let said = null;
  try {
    said = (await answer.json()).detail;
  } catch {
    /* not every proxy speaks JSON */
  }
  const detail = Array.isArray(said)
    ? said.map((each) => `${each.loc?.slice(1).join(".") || "request"}: ${each.msg}`).join("; ")
    : said;
  return new ApiError(
    answer.status,
    typeof detail === "string" ? detail : (FALLBACK[answer.status] ?? `The gateway answered ${answer.status}.`),
    Number(answer.headers.get("Retry-After")) || null,
  );
}

const FALLBACK = {
  401: "This gateway wants a token.",
  403: "Your token does not allow this.",
  429: "Too many requests. Wait a moment and repeat it.",
  503: "The gateway has no broker at the moment. Repeat it in a moment.",
};

/** What a person can do about an error, besides what it says itself. */
export function advice(error) {
  if (error.status === 401) return "Give a token: the key at the top right.";
  if (error.status === 403) return "Ask for a token with the right scope: read, trigger or admin.";
  if (error.status === 429)
    return error.retryAfter ? `Wait ${error.retryAfter} s, then repeat it.` : "Wait a moment, then repeat it.";
  return "";
}
