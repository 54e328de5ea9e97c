// Server-sent events read with fetch, because EventSource cannot send a token. Falls back to asking again and again.

import { address, get, headers } from "./api.js";

const QUIET = 40_000; // the gateway sends a comment every 15 s: after two missed ones the line is dead
const POLL = 1_500;
const LONGEST_WAIT = 15_000;

let waiting = new AbortController();

/**
 * Follow the runs until `signal` aborts. `on.status(status)` for each word on a run, `on.line("live" | "polling" | "away")`
 * for how it is heard.
 */
export async function follow(on, signal) {
  let wait = 1_000;
  while (!signal.aborted) {
    try {
      if (
        !(await streamed(on, signal, () => {
          wait = 1_000;
        }))
      )
        await polled(on, signal);
    } catch {
      /* whatever ended it, it is begun again */
    }
    if (signal.aborted) return;
    on.line("away");
    waiting = new AbortController();
    await pause(wait * (0.75 + Math.random() / 2), AbortSignal.any([signal, waiting.signal]));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

/** The gateway is there again, as somebody else has found out: whoever waits for it need not. */
export const hurry = () => waiting.abort();

/** Whether this gateway streams: false at once if it does not, else an error when the stream has ended. */
async function streamed(on, signal, connected) {
  const line = new AbortController();
  const cut = () => line.abort();
  signal.addEventListener("abort", cut, { once: true });
  let dead = setTimeout(cut, QUIET);
  try {
    const answer = await fetch(address("events"), {
      headers: { Accept: "text/event-stream", ...headers() },
      signal: line.signal,
      cache: "no-store",
    });
    if (answer.status === 404 || answer.status === 405) return false;
    if (!answer.ok) throw new Error(`events: ${answer.status}`);
    on.line("live");
    connected();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new Parser((event) => {
      if (event.type === "run.status") on.status(JSON.parse(event.data));
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("events: ended");
      clearTimeout(dead);
      dead = setTimeout(cut, QUIET);
      parser.push(value);
    }
  } finally {
    clearTimeout(dead);
    signal.removeEventListener("abort", cut);
    line.abort();
  }
}

async function polled(on, signal) {
  while (!signal.aborted) {
    const { runs } = await get("runs", { limit: 50 }, { signal });
    on.line("polling");
    for (const status of runs) on.status(status);
    await pause(POLL, signal);
  }
}

/** Splits the stream into events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
export class Parser {
  #rest = "";
  #event = { type: "message", data: [] };

  constructor(emit) {
    this.emit = emit;
  }

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      if (this.#event.data.length) this.emit({ type: this.#event.type, data: this.#event.data.join("\n") });
      this.#event = { type: "message", data: [] };
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event.type = value;
    if (field === "data") this.#event.data.push(value);
  }
}

export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
