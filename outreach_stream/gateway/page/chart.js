// The rate chart: a column for each stretch of time, cut by how it ended. Drawn by hand; its figures are a table, too.

import { h, svg } from "./dom.js";
import { clockTime, number, rate } from "./format.js";
import { ENDS } from "./words.js";

const PARTS = ["sent", "failed", "in_doubt", "expired", "cancelled"];
const HEIGHT = 200;
const LEFT = 46;
const BOTTOM = 24;
const TOP = 10;

/** The chart of `[{ at, seconds, sent, failed, … }]`, oldest first; `width` in pixels: its words keep their size. */
export function rateChart(timeline, width) {
  const columns = timeline.map((each) => ({ ...each, all: PARTS.reduce((sum, part) => sum + (each[part] ?? 0), 0) }));
  const speed = (each) => each.all / (each.seconds || 1);
  const peak = Math.max(...columns.map(speed), 0);
  const [top, step] = scale(peak);
  const from = Date.parse(columns[0].at);
  const until = Date.parse(columns.at(-1).at) + columns.at(-1).seconds * 1000;
  const x = (time) => LEFT + ((width - LEFT - 4) * (time - from)) / Math.max(1, until - from);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / top;
  const used = PARTS.filter((part) => columns.some((each) => each[part]));
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      class: "chart-picture",
      "aria-label":
        `Recipients a second over time, from ${clockTime(columns[0].at)} to ` +
        `${clockTime(new Date(until).toISOString())}; at most ${rate(peak)}. The figures are in the table below.`,
    },
    grid(top, step, y, width),
    axis(from, until, x),
    columns.map((each) => column(each, x, y)),
  );
  return h(
    "figure",
    {},
    picture,
    h(
      "figcaption",
      {},
      legend(used, peak),
      h("details", { "data-key": "figures" }, h("summary", {}, "The figures"), table(columns, used)),
    ),
  );
}

/** A round top above `peak`, and the step of the lines below it. */
export function scale(peak) {
  const rough = Math.max(peak, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  return [Math.max(step, Math.ceil(peak / step) * step), step];
}

function grid(top, step, y, width) {
  const lines = [];
  for (let value = 0; value <= top * 1.0001; value += step)
    lines.push(
      svg("line", { x1: LEFT, x2: width - 4, y1: y(value), y2: y(value), class: value ? "grid" : "ground" }),
      svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end", class: "tick" }, number(value)),
    );
  return lines;
}

function axis(from, until, x) {
  const places = until - from < 4_000 ? [from, until] : [from, (from + until) / 2, until];
  return places.map((time, i) =>
    svg(
      "text",
      {
        x: x(time),
        y: HEIGHT - 6,
        class: "tick",
        "text-anchor": i === 0 ? "start" : i === places.length - 1 ? "end" : "middle",
      },
      clockTime(new Date(time).toISOString()),
    ),
  );
}

function column(each, x, y) {
  const start = Date.parse(each.at);
  const left = x(start);
  const width = Math.max(1, x(start + each.seconds * 1000) - left - 1);
  let below = 0;
  const boxes = PARTS.filter((part) => each[part]).map((part) => {
    const low = below;
    below += each[part] / (each.seconds || 1);
    return svg("rect", {
      x: left,
      width,
      y: y(below),
      height: Math.max(0.5, y(low) - y(below)),
      class: `part-${part}`,
    });
  });
  const said = PARTS.filter((part) => each[part])
    .map((part) => `${number(each[part])} ${ENDS[part][0].toLowerCase()}`)
    .join(", ");
  return svg(
    "g",
    { class: "column" },
    svg("title", {}, `${clockTime(each.at)}: ${said || "nothing"}`),
    svg("rect", { x: left, width: width + 1, y: TOP, height: HEIGHT - BOTTOM - TOP, class: "hit" }),
    boxes,
  );
}

const legend = (used, peak) =>
  h(
    "p",
    { class: "legend" },
    used.map((part) => h("span", {}, h("i", { class: `key part-${part}` }), ENDS[part][0])),
    h("span", { class: "quiet" }, `recipients a second, at most ${rate(peak)}`),
  );

function table(columns, used) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "The chart's figures" },
    h(
      "table",
      { class: "plain" },
      h("caption", { class: "hidden-visually" }, "Recipients by time and end"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "From"),
          h("th", { scope: "col", class: "num" }, "Seconds"),
          used.map((part) => h("th", { scope: "col", class: "num" }, ENDS[part][0])),
        ),
      ),
      h(
        "tbody",
        {},
        columns.map((each) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, clockTime(each.at)),
            h("td", { class: "num" }, number(each.seconds)),
            used.map((part) => h("td", { class: "num" }, number(each[part] ?? 0))),
          ),
        ),
      ),
    ),
  );
}
