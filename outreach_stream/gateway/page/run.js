// One run: where it stands, how it got there, what failed and why, and everybody in it.

import { get } from "./api.js";
import { fill, fillIfNew, h, icon, setText } from "./dom.js";
import { number, rate, share, span } from "./format.js";
import { onKey } from "./keys.js";
import { empty, note, told, trouble, waiting } from "./notices.js";
import { cancel, pauseOrResume, replay, replayable } from "./orders.js";
import { outcomes } from "./outcomes.js";
import { average, figure, paceText, progressBar, progressText } from "./progress.js";
import { recipients } from "./recipients.js";
import { setTitle } from "./router.js";
import { actions, factList, stepList, warnings } from "./run_parts.js";
import { allows } from "./session.js";
import { listen, live, nameOf, runs, take } from "./store.js";
import { badge, ENDS, situation } from "./words.js";

/** The view. */
export function runView({ id, query, signal }) {
  const element = h("div", { class: "view" }, crumbs(), waiting("The run is being read."));
  let page = null;
  const draw = () => {
    const run = runs.get(id);
    if (!run || signal.aborted) return;
    if (!page) {
      page = runPage(run, query, signal);
      fill(element, crumbs(), page.element);
    }
    setTitle(nameOf(run.workflow_id));
    page.update(run);
  };
  async function load() {
    try {
      take(await get(`runs/${encodeURIComponent(id)}`));
      draw();
    } catch (error) {
      if (signal.aborted || page) return;
      fill(
        element,
        crumbs(),
        error.status === 404
          ? empty(
              "There is no such run",
              h("p", {}, error.message),
              h("a", { class: "button", href: "#/runs" }, "All runs"),
            )
          : trouble(error, load),
      );
    }
  }
  const unlisten = listen(({ run, names }) => {
    if (run?.run_id === id || names) draw();
  });
  const timer = setInterval(draw, 1_000);
  signal.addEventListener("abort", () => {
    unlisten();
    clearInterval(timer);
  });
  draw();
  load();
  return { title: runs.has(id) ? nameOf(runs.get(id).workflow_id) : "Run", element };
}

const crumbs = () => h("p", { class: "crumbs" }, h("a", { href: "#/runs" }, icon("back"), "All runs"));

function runPage(first, query, signal) {
  const name = h("h1");
  const state = h("span", { class: "state" });
  const buttons = h("div", { class: "actions" });
  const notices = h("div", { class: "notices" });
  const bar = progressBar("Progress of the run");
  const text = h("strong");
  const speed = h("span", { class: "quiet" });
  const figures = Object.fromEntries(
    ["sent", "failed", "in_doubt", "expired", "cancelled", "skipped"].map((each) => [
      each,
      figure(ENDS[each][0], each),
    ]),
  );
  const steps = h("ol", { class: "steps" });
  const facts = h("dl", { class: "facts" });
  const results = outcomes(first, (status, reason) => people.show(status, reason), signal);
  const people = recipients(first, query, signal);
  let current = first;

  const act = (order) => order(current).catch((error) => note(told(error), "failed"));
  const running = () => live(current) && !current.cancelling && allows("admin");
  onKey("p", () => running() && act(pauseOrResume), signal);
  onKey("c", () => running() && act(cancel), signal);
  onKey("R", () => !live(current) && replayable(current) > 0 && act(replay), signal);

  return {
    element: h(
      "article",
      { class: "run" },
      h("header", { class: "view-head" }, h("div", { class: "titled" }, name, state), buttons),
      notices,
      h(
        "section",
        { class: "card hero", "aria-label": "Progress" },
        h("div", { class: "hero-line" }, text, speed),
        bar.element,
        h(
          "dl",
          { class: "figures figures-plain" },
          Object.values(figures).map((each) => each.element),
        ),
      ),
      h(
        "div",
        { class: "columns" },
        results.element,
        h(
          "section",
          { class: "card side", "aria-label": "The run" },
          h("h2", {}, "States"),
          steps,
          h("h2", {}, "About"),
          facts,
        ),
      ),
      people.element,
    ),
    update(run) {
      current = run;
      setText(name, nameOf(run.workflow_id));
      fillIfNew(state, situation(run), () => badge(situation(run)));
      fillIfNew(buttons, [live(run), run.paused, run.cancelling, replayable(run) > 0, allows("admin")], () =>
        actions(run, act),
      );
      fillIfNew(
        notices,
        [
          run.reason,
          run.warnings,
          run.engine_stopped,
          run.paused,
          run.deadline_passed,
          run.not_due,
          run.next_due,
          run.counts.possible_duplicates,
        ],
        () => warnings(run),
      );
      bar.update(run);
      setText(text, progressText(run));
      setText(
        speed,
        paceText(run) ||
          (average(run) ? `${rate(average(run).rate)} on average, over ${span(average(run).seconds)}` : ""),
      );
      for (const [each, tile] of Object.entries(figures)) {
        tile.update(
          number(run.counts[each]),
          each !== "skipped" && run.counts[each] ? share(run.counts[each], run.counts.total) : "",
        );
        tile.element.classList.toggle("zero", !run.counts[each]);
      }
      fillIfNew(steps, [run.states, run.state], () => stepList(run));
      fillIfNew(facts, [run.engine, run.log, run.deadline, run.slot], () => factList(run));
      results.update(run);
      people.update(run);
    },
  };
}
