// All runs, the newest first, moving as they move.

import { address, get, getIfThere } from "./api.js";
import { button, fill, fillIfNew, h, icon, setText } from "./dom.js";
import { many, number, rate } from "./format.js";
import { announce, empty, trouble, waiting } from "./notices.js";
import { figure } from "./progress.js";
import { link } from "./router.js";
import { place, row, runsTable } from "./runs_table.js";
import { began, ended, listen, live, nameOf, pace, runs, take } from "./store.js";

const PAGE = 50;
const FILTERS = {
  all: ["All", () => true, []],
  live: ["Live", live, ["QUEUED", "INITIALIZING", "SENDING"]],
  trouble: [
    "With trouble",
    (run) =>
      run.counts.failed + run.counts.in_doubt + run.counts.expired > 0 ||
      ["FAILED", "REFUSED"].includes(run.state) ||
      Boolean(run.engine_stopped),
    [],
  ],
  ended: ["Ended", (run) => !live(run), ["COMPLETED", "FAILED", "CANCELLED", "REFUSED"]],
};

/** The view. */
export function runsView({ query, signal }) {
  const rows = new Map();
  const tiles = {
    live: figure("Live runs"),
    rate: figure("Mails a second"),
    sent: figure("Sent", "sent"),
    failed: figure("Failed", "failed"),
    doubt: figure("In doubt", "in_doubt"),
  };
  const body = h("tbody", { role: "rowgroup" });
  const list = h("div", { class: "card table-card" });
  const older = button("Show older runs", { kind: "wide", hidden: true, on: { click: showOlder } });
  const search = h("input", {
    type: "search",
    "aria-label": "Search the runs",
    placeholder: "Name, id or source",
    value: query.get("q") ?? "",
  });
  const chips = Object.entries(FILTERS).map(([name, [label]]) =>
    h("button", { type: "button", class: "chip", "aria-pressed": "false", on: { click: () => choose(name) } }, label),
  );
  const table = runsTable(body);
  let filter = FILTERS[query.get("show")] ? query.get("show") : "all";
  let cursor = null;
  let most = PAGE;
  let loaded = false;
  let planned = false;

  function choose(name) {
    filter = name;
    cursor = null;
    most = PAGE;
    draw();
    load();
  }

  function showOlder() {
    most += PAGE;
    if (cursor) load();
    else draw();
  }

  async function load() {
    try {
      const { runs: found, next = null } = await get("runs", { limit: PAGE, state: FILTERS[filter][2], cursor });
      for (const run of found) take(run);
      cursor = next;
      loaded = true;
      draw();
      announce(`${many(body.childElementCount, "run")} listed.`);
    } catch (error) {
      if (!runs.size && !signal.aborted) fill(list, trouble(error, load));
    }
  }

  function visible() {
    const text = search.value.trim().toLowerCase();
    const found = [...runs.values()]
      .filter(FILTERS[filter][1])
      .filter(
        (run) =>
          !text ||
          [nameOf(run.workflow_id), run.workflow_id, run.run_id, run.source, run.engine].some((each) =>
            each?.toLowerCase().includes(text),
          ),
      );
    return found.sort((one, other) => (began(other) < began(one) ? -1 : 1));
  }

  function draw() {
    planned = false;
    if (signal.aborted) return;
    Object.keys(FILTERS).forEach((name, i) => chips[i].setAttribute("aria-pressed", name === filter));
    drawTiles(tiles);
    if (!loaded && !runs.size) return;
    const found = visible();
    older.hidden = !cursor && found.length <= most;
    const shown = found.slice(0, most);
    fillIfNew(list, shown.length ? "table" : runs.size ? "none like that" : "none at all", () =>
      shown.length ? table : runs.size ? nothingFound(all) : noRuns(),
    );
    const wanted = new Set(shown.map((run) => run.run_id));
    for (const id of rows.keys()) if (!wanted.has(id)) rows.delete(id);
    for (const run of shown) {
      if (!rows.has(run.run_id)) rows.set(run.run_id, row(run));
      rows.get(run.run_id).update(run);
    }
    place(
      body,
      shown.map((run) => rows.get(run.run_id).element),
    );
  }

  function all() {
    search.value = "";
    choose("all");
  }

  const soon = () => {
    if (!planned) {
      planned = true;
      requestAnimationFrame(draw);
    }
  };
  const timer = setInterval(soon, 1_000); // rates fall, too, when nothing comes
  const unlisten = listen(soon);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    unlisten();
  });
  search.addEventListener("input", soon);
  fill(list, waiting("The runs are being read."));
  load();
  draw();
  return {
    title: "Runs",
    element: h(
      "div",
      { class: "view" },
      h(
        "div",
        { class: "view-head" },
        h("h1", {}, "Runs"),
        h("a", { class: "button primary", href: "#/workflows" }, icon("play"), h("span", {}, "Start a run")),
      ),
      h(
        "dl",
        { class: "figures", "aria-label": "Now" },
        Object.values(tiles).map((tile) => tile.element),
      ),
      h(
        "div",
        { class: "filters" },
        h("div", { class: "chips", role: "group", "aria-label": "Which runs" }, chips),
        h("label", { class: "search" }, icon("search"), search),
      ),
      list,
      older,
    ),
  };
}

function drawTiles(tiles) {
  const all = [...runs.values()];
  const moving = all.filter(live);
  const sum = (name) => all.reduce((total, run) => total + run.counts[name], 0);
  const speed = moving.reduce((total, run) => total + (pace(run) ?? 0), 0);
  const open = moving.reduce((total, run) => total + run.counts.total - ended(run), 0);
  tiles.live.update(number(moving.length), moving.length ? `${many(open, "mail")} to go` : "nothing to do");
  tiles.rate.update(moving.length ? rate(speed).replace("/s", "") : "0", "over all live runs");
  tiles.sent.update(number(sum("sent")), `in ${many(all.length, "run")} listed`);
  tiles.failed.update(number(sum("failed")), sum("failed") ? "see each run for why" : "none");
  tiles.doubt.update(number(sum("in_doubt")), sum("in_doubt") ? "may have arrived" : "none");
  for (const [name, tile] of [
    ["sent", tiles.sent],
    ["failed", tiles.failed],
    ["in_doubt", tiles.doubt],
  ])
    tile.element.classList.toggle("zero", !sum(name));
}

function noRuns() {
  const start = h("p", {});
  const byHttp = h("code", {});
  const byCommand = h("code", {});
  const say = (workflow) => {
    const body = JSON.stringify({ workflow_id: workflow });
    setText(byHttp, `curl -X POST ${address("trigger")} \\\n  -H 'Content-Type: application/json' -d '${body}'`);
    setText(byCommand, `outreach trigger ${workflow}`);
  };
  say("1");
  getIfThere("workflows")
    .then((found) => {
      const first = found?.workflows?.[0];
      if (!first) return;
      say(first.id);
      fill(start, h("a", { class: "button primary", href: link("workflows", first.id) }, `Start “${first.name}”`));
    })
    .catch(() => {
      /* the commands say it, too */
    });
  return empty(
    "No run yet",
    h("p", {}, "Start one here, or from anywhere:"),
    start,
    h("pre", {}, byHttp),
    h(
      "p",
      { class: "quiet" },
      "or ",
      byCommand,
      ", or a record in ",
      h("code", {}, "workflow.triggered"),
      ". It appears here by itself.",
    ),
  );
}

const nothingFound = (clear) =>
  empty(
    "No run is like that",
    h("p", {}, "Older ones may be: show them below, or look at all."),
    button("Show all runs", { on: { click: clear } }),
  );
