// Parts of a run's page: its orders, notices, states and facts.

import { button, h, icon } from "./dom.js";
import { many, number, span, when } from "./format.js";
import { note } from "./notices.js";
import { cancel, pauseOrResume, replay, replayable } from "./orders.js";
import { link } from "./router.js";
import { allows } from "./session.js";
import { live } from "./store.js";
import { ORDER, stateWord } from "./words.js";

/** The orders that make sense now. */
export function actions(run, act) {
  if (!allows("admin")) return h("p", { class: "quiet" }, "Your token may look, and give no orders.");
  if (run.cancelling) return null;
  if (live(run))
    return [
      button(run.paused ? "Resume" : "Pause", {
        symbol: run.paused ? "play" : "pause",
        kind: run.paused ? "primary" : "",
        "aria-keyshortcuts": "p",
        on: { click: () => act(pauseOrResume) },
      }),
      button("Cancel…", {
        symbol: "ban",
        kind: "danger-quiet",
        "aria-keyshortcuts": "c",
        on: { click: () => act(cancel) },
      }),
    ];
  if (!replayable(run)) return null;
  return button(`Replay ${run.counts.failed ? "failed" : "recipients"}…`, {
    symbol: "replay",
    kind: "primary",
    "aria-keyshortcuts": "Shift+R",
    on: { click: () => act(replay) },
  });
}

const warning = (tone, symbol, ...text) =>
  h("p", { class: `notice tone-${tone}` }, icon(symbol), h("span", {}, ...text));

/** What somebody should know of it. */
export function warnings(run) {
  const ended = !live(run);
  return [
    run.reason && warning(run.state === "FAILED" || run.state === "REFUSED" ? "failed" : "wait", "warning", run.reason),
    run.engine_stopped &&
      !ended &&
      warning(
        "failed",
        "stop",
        `The engine ${run.engine} is stopped: ${run.engine_stopped} `,
        h("a", { href: "#/engines" }, "Look at the engines"),
      ),
    run.paused &&
      !ended &&
      warning("wait", "pause", "Paused: nobody is mailed until it is resumed. Its deadline goes on."),
    run.not_due > 0 &&
      !ended &&
      warning(
        "wait",
        "clock",
        `${many(run.not_due, "recipient")} not due yet, in their own time zones. The next: `,
        when(run.next_due),
      ),
    run.deadline_passed &&
      warning("expired", "clock", "The deadline has passed: whoever was left is not mailed any more."),
    run.counts.possible_duplicates > 0 &&
      warning(
        "in_doubt",
        "question",
        `${number(run.counts.possible_duplicates)} may have got the mail twice: a process died between the provider's yes and its record. They are marked below.`,
      ),
    run.warnings.map((text) => warning("in_doubt", "warning", text)),
  ];
}

/** The states that it went through, each with its time and how long it lasted. */
export function stepList(run) {
  const known = ORDER.filter((state) => run.states?.[state]).sort((one, other) =>
    run.states[one].localeCompare(run.states[other]),
  );
  return known.map((state, i) => {
    const next = run.states[known[i + 1]];
    const lasted = next && (Date.parse(next) - Date.parse(run.states[state])) / 1000;
    return h(
      "li",
      { class: state === run.state ? "step now" : "step", "aria-current": state === run.state ? "step" : null },
      h("span", {}, stateWord(state)),
      h("span", { class: "quiet" }, when(run.states[state], { absolute: "clock" }), lasted ? ` · ${span(lasted)}` : ""),
    );
  });
}

/** What it is made of. */
export function factList(run) {
  const copy = h(
    "button",
    {
      type: "button",
      class: "tool small",
      "aria-label": "Copy the run's id",
      title: "Copy",
      on: {
        click: async () => {
          try {
            await navigator.clipboard.writeText(run.run_id);
            note("The id is copied.");
          } catch {
            note("The browser does not let this page copy. Mark the id and copy it.", "failed");
          }
        },
      },
    },
    icon("copy"),
  );
  return [
    ["Run", [h("code", {}, run.run_id), copy]],
    ["Workflow", run.workflow_id],
    run.engine && ["Engine", h("a", { href: "#/engines" }, run.engine)],
    ["Source", run.source],
    run.slot && ["Slot", when(run.slot, { absolute: true })],
    run.deadline && ["Deadline", when(run.deadline, { absolute: !live(run) })],
    run.parent && ["Replay of", h("a", { href: link("runs", run.parent) }, h("code", {}, run.parent.slice(0, 8)))],
    [
      "Log",
      run.log ? h("code", {}, run.log) : live(run) || run.state === "REFUSED" ? "written at the end" : "being written",
    ],
  ]
    .filter(Boolean)
    .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
}
