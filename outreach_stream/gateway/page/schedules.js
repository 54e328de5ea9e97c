// The schedules: what runs by itself, and when next.

import { getIfThere } from "./api.js";
import { fill, h } from "./dom.js";
import { moment, when } from "./format.js";
import { empty, trouble, waiting } from "./notices.js";
import { link } from "./router.js";
import { nameOf } from "./store.js";
import { badge } from "./words.js";

const SLOTS = 4;
const LOOK = 15_000;
const DAYS = {
  MON: "Monday",
  TUE: "Tuesday",
  WED: "Wednesday",
  THU: "Thursday",
  FRI: "Friday",
  SAT: "Saturday",
  SUN: "Sunday",
};

/** The view. */
export function schedulesView({ signal }) {
  const list = h("div", {}, waiting("The schedules are being read."));
  let drawn = "";
  async function load() {
    if (document.hidden && drawn) return;
    try {
      const found = await getIfThere("schedules", { n: SLOTS });
      if (signal.aborted || JSON.stringify(found) === drawn) return;
      drawn = JSON.stringify(found);
      fill(
        list,
        !found
          ? empty(
              "This gateway tells no schedules",
              h("p", {}, "On the command line: ", h("code", {}, "outreach schedule list")),
            )
          : found.schedules.length
            ? h("div", { class: "cards" }, found.schedules.toSorted(bySlot).map(card))
            : none(),
      );
    } catch (error) {
      if (!signal.aborted && !(drawn && error.status === 0)) fill(list, trouble(error, load));
    }
  }
  const timer = setInterval(load, LOOK);
  signal.addEventListener("abort", () => clearInterval(timer));
  load();
  return {
    title: "Schedules",
    element: h(
      "div",
      { class: "view" },
      h(
        "div",
        { class: "view-head" },
        h("h1", {}, "Schedules"),
        h("p", { class: "quiet" }, "Times are those of your browser, and each schedule's own."),
      ),
      list,
    ),
  };
}

/** Those that run next come first, those that do not at the end. */
const bySlot = (one, other) => (one.next[0] ?? "9").localeCompare(other.next[0] ?? "9");

const none = () =>
  empty(
    "No schedule yet",
    h("p", {}, "A file in the catalog's folder ", h("code", {}, "schedules/"), " makes a workflow run by itself:"),
    h("pre", {}, h("code", {}, 'id: monday\nworkflow: 1\ncron: "0 9 * * MON"\ntimezone: Europe/Berlin')),
    h("p", { class: "quiet" }, "Then start ", h("code", {}, "outreach ticker"), "."),
  );

function card(schedule) {
  const off = schedule.enabled === false || schedule.paused;
  const [first, ...others] = schedule.slots ?? schedule.next.map((due) => ({ due }));
  return h(
    "section",
    { class: "card schedule", "aria-label": `Schedule ${schedule.id}` },
    h(
      "div",
      { class: "card-head" },
      h(
        "div",
        {},
        h("h2", {}, schedule.name || schedule.id),
        h(
          "a",
          { class: "quiet", href: link("workflows", schedule.workflow_id), "data-item": true },
          nameOf(schedule.workflow_id),
        ),
      ),
      badge(off ? ["Off", "pause", "wait"] : first ? ["On", "check", "sent"] : ["Over", "ban", "cancelled"]),
    ),
    h(
      "p",
      { class: "rule" },
      h("code", {}, schedule.cron ?? `once, ${moment(schedule.at)}`),
      " ",
      h("span", { class: "quiet" }, schedule.timezone),
    ),
    first
      ? h(
          "div",
          { class: "next" },
          h("p", {}, h("span", { class: "quiet" }, "Next "), h("strong", {}, when(first.due))),
          slots([first, ...others], schedule.timezone),
        )
      : h("p", { class: "quiet" }, off ? "It triggers nothing while it is off." : "There is no slot any more."),
    schedule.quiet?.length > 0 &&
      h("p", { class: "quiet" }, "Quiet: ", schedule.quiet.map((window) => quiet(window)).join("; ")),
  );
}

function slots(coming, zone) {
  return h(
    "ol",
    { class: "slots", "aria-label": "Next slots" },
    coming.map((slot) =>
      h(
        "li",
        {},
        when(slot.due, { absolute: true }),
        h("span", { class: "quiet" }, there(slot.due, zone)),
        slot.slot && slot.slot !== slot.due && h("span", { class: "quiet" }, "after the quiet time"),
      ),
    ),
  );
}

/** The time over there, if it is another one than here. */
function there(text, zone) {
  const date = new Date(text);
  try {
    const clock = { weekday: "short", hour: "2-digit", minute: "2-digit" };
    const over = new Intl.DateTimeFormat(undefined, { ...clock, timeZone: zone }).format(date);
    return over === new Intl.DateTimeFormat(undefined, clock).format(date) ? "" : `${over} there`;
  } catch {
    return ""; // a zone that this browser does not know
  }
}

function quiet(window) {
  const from = window.from ?? window.begins;
  const to = window.to ?? window.ends;
  const days =
    window.days?.length === 7 || !window.days ? "every day" : window.days.map((day) => DAYS[day] ?? day).join(", ");
  return `${from?.slice(0, 5)}–${to?.slice(0, 5)} ${days}`;
}
