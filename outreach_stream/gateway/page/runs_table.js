// The table of runs: a row each, which moves as its run does.

import { fill, h, setText } from "./dom.js";
import { number, rate, setWhen } from "./format.js";
import { average, paceText, progressBar, progressText } from "./progress.js";
import { link } from "./router.js";
import { began, live, nameOf } from "./store.js";
import { badge, situation } from "./words.js";

/** Put the rows in order, touching only what moved: the focus stays where it is. */
export function place(body, elements) {
  const wanted = new Set(elements);
  for (const element of [...body.children]) if (!wanted.has(element)) element.remove();
  elements.forEach((element, i) => {
    if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
  });
}

// The roles are said outright, because on a phone the table is laid out as cards, and is a table all the same.
const head = (label, kind = "") => h("th", { scope: "col", role: "columnheader", class: kind }, label);
const cell = (label, kind, ...children) => h("td", { role: "cell", class: kind, "data-label": label }, ...children);

/** The table around its rows. */
export function runsTable(body) {
  return h(
    "table",
    { class: "runs", role: "table" },
    h("caption", { class: "hidden-visually" }, "Runs, the newest first"),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        head("Run"),
        head("State"),
        head("Progress"),
        head("Sent", "num"),
        head("Failed", "num"),
        head("In doubt", "num"),
        head("Pace", "num"),
        head("Started", "num"),
      ),
    ),
    body,
  );
}

/** One run: `{ element, update(run) }`. */
export function row(run) {
  const name = h("a", { class: "row-link", href: link("runs", run.run_id), "data-item": true });
  const about = h("span", { class: "quiet" });
  const state = h("td", { role: "cell", class: "cell-state", "data-label": "State" });
  const bar = progressBar("Progress");
  const text = h("span", { class: "quiet" });
  const counts = ["sent", "failed", "in_doubt"].map((each) => [each, h("span")]);
  const speed = h("span");
  const started = h("time");
  const element = h(
    "tr",
    { role: "row", class: "row" },
    h("th", { scope: "row", role: "rowheader", class: "cell-name" }, name, about),
    state,
    cell("Progress", "cell-progress", bar.element, text),
    counts.map(([each, value]) =>
      cell({ sent: "Sent", failed: "Failed", in_doubt: "In doubt" }[each], `num cell-count cell-${each}`, value),
    ),
    cell("Pace", "num cell-pace", speed),
    cell("Started", "num cell-started", started),
  );
  let stands = null;
  return {
    element,
    update(now) {
      setText(name, nameOf(now.workflow_id));
      setText(about, `${now.run_id.slice(0, 8)} · ${now.parent ? "replay" : now.slot ? "schedule" : now.source}`);
      const word = situation(now);
      if (String(word) !== stands) fill(state, badge(word));
      stands = String(word);
      bar.update(now);
      setText(text, progressText(now));
      for (const [each, value] of counts) {
        setText(value, number(now.counts[each]));
        value.parentNode.classList.toggle("zero", !now.counts[each]);
      }
      setText(speed, paceText(now).split(" · ")[0] || (average(now) ? `⌀ ${rate(average(now).rate)}` : "–"));
      setWhen(started, began(now));
      element.classList.toggle("row-live", live(now));
    },
  };
}
