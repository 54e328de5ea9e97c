// The closed vocabularies of the system, for people: a word, a sign and a colour for each. Never a colour alone.

import { h, icon } from "./dom.js";

const STATES = {
  QUEUED: ["Queued", "clock", "wait"],
  INITIALIZING: ["Preparing", "search", "live"],
  SENDING: ["Sending", "send", "live"],
  COMPLETED: ["Completed", "check", "sent"],
  FAILED: ["Failed", "cross", "failed"],
  CANCELLED: ["Cancelled", "ban", "cancelled"],
  REFUSED: ["Refused", "ban", "failed"],
};

export const ORDER = ["QUEUED", "INITIALIZING", "SENDING", "COMPLETED", "FAILED", "CANCELLED", "REFUSED"];

/** How a recipient ends: the word, its sign, and what it means. */
export const ENDS = {
  sent: ["Sent", "check", "The provider took the mail."],
  failed: ["Failed", "cross", "Refused for good, or every attempt failed."],
  in_doubt: ["In doubt", "question", "Handed over and never answered: it may have arrived."],
  expired: ["Expired", "clock", "The deadline passed first; nothing was sent."],
  cancelled: ["Cancelled", "ban", "The run was cancelled before its turn."],
  skipped: ["Skipped", "skip", "Left out: invalid, a duplicate, or on the suppression list."],
};

/** What to call the state of a run, with what is in its way. */
export function situation(run) {
  if (run.cancelling) return ["Cancelling", "ban", "wait"];
  if (run.paused && run.state === "SENDING") return ["Paused", "pause", "wait"];
  if (run.paused && (run.state === "QUEUED" || run.state === "INITIALIZING")) return ["Paused", "pause", "wait"];
  if (run.engine_stopped && run.state === "SENDING") return ["Engine stopped", "warning", "failed"];
  return STATES[run.state] ?? [run.state, "dots", "wait"];
}

export const stateWord = (state) => STATES[state]?.[0] ?? state;

export function badge([word, symbol, tone]) {
  return h("span", { class: `badge tone-${tone}` }, icon(symbol), h("span", {}, word));
}

export const endBadge = (status) => badge([ENDS[status]?.[0] ?? status, ENDS[status]?.[1] ?? "dots", status]);
