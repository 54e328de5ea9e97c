// How far a run is: one bar, cut by how its recipients ended.

import { h, setText } from "./dom.js";
import { many, number, rate, share, span } from "./format.js";
import { ended, left, live, pace } from "./store.js";
import { ENDS } from "./words.js";

const PARTS = ["sent", "failed", "in_doubt", "expired", "cancelled"];

/** `{ element, update(run) }`. */
export function progressBar(label) {
  const parts = PARTS.map((name) => h("i", { class: `part part-${name}` }));
  const rest = h("i", { class: "part part-rest" });
  const element = h(
    "div",
    { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    parts,
    rest,
  );
  return {
    element,
    update(run) {
      const { counts } = run;
      PARTS.forEach((name, i) => {
        parts[i].style.flexGrow = counts[name];
      });
      rest.style.flexGrow = counts.total ? counts.total - ended(run) : 1;
      element.classList.toggle("bar-moving", run.state === "SENDING" && !run.paused && !run.engine_stopped);
      element.setAttribute("aria-valuenow", counts.total ? Math.floor((100 * ended(run)) / counts.total) : 0);
      element.setAttribute("aria-valuetext", spoken(run));
    },
  };
}

/** The bar in words, and what it says to those who do not see it. */
export function spoken(run) {
  const { counts } = run;
  if (!counts.total) return live(run) ? "Nobody yet" : "Nobody was mailed";
  const said = PARTS.filter((name) => counts[name]).map(
    (name) => `${number(counts[name])} ${ENDS[name][0].toLowerCase()}`,
  );
  return `${number(ended(run))} of ${many(counts.total, "recipient")}${said.length ? `: ${said.join(", ")}` : ""}`;
}

/** `612 of 1,000 · 61 %`. */
export const progressText = (run) =>
  run.counts.total
    ? `${number(ended(run))} of ${number(run.counts.total)} · ${share(ended(run), run.counts.total)}`
    : live(run)
      ? "finding recipients"
      : "nobody";

/** What it does now, or did: `195/s, 2 min left`. */
export function paceText(run) {
  const speed = run.state === "SENDING" && !run.paused ? pace(run) : null;
  if (speed === null) return "";
  const rest = left(run);
  return rate(speed) + (rest ? ` · ${span(rest)} left` : "");
}

/** The average of a run that has ended, over the time in which it sent; null: it did not. */
export function average(run) {
  const from = run.states?.SENDING;
  const until = ["COMPLETED", "CANCELLED", "FAILED"].map((state) => run.states?.[state]).find(Boolean);
  if (!from || !until) return null;
  const seconds = (Date.parse(until) - Date.parse(from)) / 1000;
  return seconds > 0 ? { seconds, rate: (ended(run) - run.counts.cancelled) / seconds } : null;
}

/** A number with its name, for the tops of views: `{ element, update(text, more?) }`. */
export function figure(label, tone = "") {
  const value = h("dd", {}, "–");
  const more = h("dd", { class: "figure-more" });
  return {
    element: h("div", { class: `figure ${tone && `tone-${tone}`}` }, h("dt", {}, label), value, more),
    update(text, extra = "") {
      setText(value, text);
      setText(more, extra);
    },
  };
}
