// What came of a run over time, and its failures by reason.

import { getIfThere } from "./api.js";
import { rateChart } from "./chart.js";
import { fill, h, icon, refill } from "./dom.js";
import { number, share } from "./format.js";
import { told } from "./notices.js";
import { ended, live } from "./store.js";
import { reasonParts } from "./reasons.js";
import { endBadge } from "./words.js";

const EVERY = 2_500; // milliseconds between two looks at a run that moves

/** `{ element, update(run) }`; `show(status, reason)` is called to see the recipients of a group. */
export function outcomes(first, show, signal) {
  const chart = h("div", { class: "chart" });
  const groupList = h("div", { class: "groups" });
  const chartCard = h(
    "section",
    { class: "card", "aria-labelledby": "pace-title", hidden: true },
    h("h2", { id: "pace-title" }, "Pace"),
    chart,
  );
  const groupCard = h(
    "section",
    { class: "card", "aria-labelledby": "why-title", hidden: true },
    h("h2", { id: "why-title" }, "Why it did not go out"),
    groupList,
  );
  const element = h("div", { class: "stack" }, chartCard, groupCard);
  let run = first;
  let timeline = [];
  let seen = null;
  let asked = -Infinity;
  let busy = false;
  let missing = false;

  async function load() {
    busy = true;
    asked = performance.now();
    const stands = stand(run);
    try {
      const found = await getIfThere(`runs/${encodeURIComponent(run.run_id)}/outcomes`);
      missing = found === null;
      if (found && !signal.aborted) draw(found);
      if (found?.complete !== false || live(run)) seen = stands;
    } catch (error) {
      if (!signal.aborted && !groupList.childElementCount) fill(groupList, h("p", { class: "quiet" }, told(error)));
    } finally {
      busy = false;
    }
  }

  const drawChart = () => {
    const width = Math.max(260, Math.round(chart.clientWidth));
    if (timeline.length) refill(chart, [timeline, width], () => rateChart(timeline, width));
  };
  const resized = new ResizeObserver(drawChart);
  resized.observe(chart);
  signal.addEventListener("abort", () => resized.disconnect());

  function draw({ timeline: columns, groups }) {
    timeline = columns;
    const found = groups.filter((group) => group.status !== "sent");
    chartCard.hidden = !timeline.length;
    drawChart();
    groupCard.hidden = !ended(run) && !found.length;
    refill(groupList, found, () =>
      found.length ? groupTable(found, run, show) : h("p", { class: "fine" }, icon("check"), "Nothing failed so far."),
    );
  }

  return {
    element,
    update(now) {
      run = now;
      if (!busy && !missing && stand(run) !== seen && performance.now() - asked > EVERY) load();
    },
  };
}

const stand = (run) => JSON.stringify([run.counts, run.state]);

function groupTable(groups, run, show) {
  const most = Math.max(...groups.map((group) => group.count));
  return h(
    "table",
    { class: "reasons" },
    h("caption", { class: "hidden-visually" }, "Recipients by reason, the most frequent first"),
    h(
      "thead",
      { class: "hidden-visually" },
      h(
        "tr",
        {},
        ["How it ended", "Reason", "Recipients"].map((label) => h("th", { scope: "col" }, label)),
      ),
    ),
    h(
      "tbody",
      {},
      groups
        .toSorted((one, other) => other.count - one.count)
        .map((group) => {
          const bar = h("i", { class: `part-${group.status}` });
          bar.style.inlineSize = `${Math.max(2, (100 * group.count) / most)}%`;
          const { code, words } = reasonParts(group.reason);
          return h(
            "tr",
            {},
            h("td", {}, endBadge(group.status)),
            h(
              "th",
              { scope: "row" },
              h("code", {}, code || "no reason given"),
              words && h("span", { class: "quiet" }, words),
              h("span", { class: "meter", "aria-hidden": "true" }, bar),
            ),
            h(
              "td",
              { class: "num" },
              h("strong", {}, number(group.count)),
              h("small", {}, share(group.count, run.counts.total)),
              h(
                "button",
                {
                  type: "button",
                  class: "button small",
                  "data-item": true,
                  "data-key": `${group.status} ${group.reason}`,
                  "aria-label": `Show the ${number(group.count)} recipients with ${code}`,
                  on: { click: () => show(group.status, code) },
                },
                "Show",
              ),
            ),
          );
        }),
    ),
  );
}
