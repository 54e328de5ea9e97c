// Everybody in a run: searched and filtered by the gateway, shown a page at a time.

import { getIfThere } from "./api.js";
import { button, fill, fillIfNew, h, icon } from "./dom.js";
import { many, number, when } from "./format.js";
import { announce, trouble, waiting } from "./notices.js";
import { reasonParts } from "./reasons.js";
import { ended, live } from "./store.js";
import { endBadge, ENDS } from "./words.js";

const PAGE = 50;
const STATUSES = ["failed", "in_doubt", "sent", "expired", "cancelled", "skipped"];
const TYPED = 250; // milliseconds without a key until it is looked up
const EMPTY_PAGES = 20; // pages in which nothing was found, after which the reader is asked whether to go on

/** `{ element, update(run), show(status, reason) }`. */
export function recipients(first, query, signal) {
  const search = h("input", {
    type: "search",
    placeholder: "Part of an address",
    "aria-label": "Search the recipients",
    value: query.get("q") ?? "",
  });
  const chips = ["", ...STATUSES].map((status) => [
    status,
    h("button", { type: "button", class: "chip", "aria-pressed": "false", on: { click: () => choose(status) } }),
  ]);
  const body = h("tbody", { role: "rowgroup" });
  const table = peopleTable(body);
  const list = h("div", {});
  const more = button("Show more", { kind: "wide", on: { click: showMore } });
  const again = button("Refresh", { kind: "small", symbol: "replay", on: { click: () => restart() } });
  const because = h("button", {
    type: "button",
    class: "chip chip-on",
    hidden: true,
    on: { click: () => show(status, "") },
  });
  const element = h(
    "section",
    { class: "card people", "aria-labelledby": "people-title", hidden: true },
    h("div", { class: "card-head" }, h("h2", { id: "people-title", tabindex: -1 }, "Recipients"), again),
    h(
      "div",
      { class: "filters" },
      h(
        "div",
        { class: "chips", role: "group", "aria-label": "Which recipients" },
        chips.map(([, chip]) => chip),
        because,
      ),
      h("label", { class: "search" }, icon("search"), search),
    ),
    list,
  );
  let run = first;
  let reason = "";
  let status = STATUSES.includes(query.get("status")) ? query.get("status") : "";
  let cursor = null;
  let loading = null;
  let seen = null;
  let timer = null;

  function choose(chosen) {
    status = chosen;
    reason = "";
    drawChips();
    restart();
  }

  function restart() {
    loading?.abort();
    loading = null;
    cursor = null;
    body.replaceChildren();
    fill(list, waiting("The recipients are being read."));
    return load();
  }

  async function showMore() {
    const before = body.childElementCount;
    await load();
    body.children[before]?.querySelector("[data-item]").focus(); // the button has moved away under the reader
  }

  async function load() {
    if (loading || signal.aborted) return;
    const mine = (loading = new AbortController());
    more.disabled = true;
    seen = stand(run);
    let found = [];
    try {
      for (let tries = 0; tries < EMPTY_PAGES && !found.length && (tries === 0 || cursor); tries += 1) {
        const page = await getIfThere(`runs/${encodeURIComponent(run.run_id)}/recipients`, {
          status,
          search: search.value.trim(),
          limit: PAGE,
          cursor,
        });
        if (mine.signal.aborted || signal.aborted) return;
        element.hidden = page === null;
        if (page === null) return;
        found = page.recipients.filter((each) => !reason || reasonParts(each.reason).code === reason);
        cursor = page.next ?? null;
      }
      body.append(...found.map(person));
      draw();
    } catch (error) {
      if (!mine.signal.aborted && !signal.aborted)
        fill(
          list,
          body.childElementCount ? table : "",
          trouble(error, () => load()),
        );
      element.hidden = false;
    } finally {
      if (loading === mine) loading = null;
      more.disabled = false;
    }
  }

  function draw() {
    const count = body.childElementCount;
    more.lastChild.textContent = count ? "Show more" : "Search on";
    fill(list, count ? table : h("p", { class: "quiet nobody" }, nobody()), cursor && more);
    announce(count ? `${many(count, "recipient")} shown${cursor ? ", there are more" : ""}.` : nobody());
  }

  function nobody() {
    if (cursor) return "Nobody so far; there are more to look through.";
    if (search.value.trim() || reason) return "Nobody is like that.";
    if (live(run) && !ended(run)) return "Nobody has an end yet: recipients appear here as soon as they have.";
    return status ? `Nobody ended as ${ENDS[status][0].toLowerCase()}.` : "Nobody is in this run.";
  }

  function show(chosen, code) {
    choose(chosen);
    reason = code;
    drawChips();
    element.scrollIntoView({ block: "start" });
    element.querySelector("h2").focus({ preventScroll: true });
  }

  function drawChips() {
    because.hidden = !reason;
    fillIfNew(because, reason, () => [
      h("code", {}, reason),
      icon("cross"),
      h("span", { class: "hidden-visually" }, "any reason again"),
    ]);
    for (const [name, chip] of chips) {
      const count = name ? run.counts[name] : ended(run) + run.counts.skipped;
      chip.setAttribute("aria-pressed", String(name === status));
      chip.hidden = Boolean(name) && !count && name !== status && name !== "failed";
      const label = `${name ? ENDS[name][0] : "All"} ${number(count)}`;
      if (chip.textContent !== label) fill(chip, name ? ENDS[name][0] : "All", " ", h("b", {}, number(count)));
    }
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(restart, TYPED);
  });
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    loading?.abort();
  });
  queueMicrotask(load);
  return {
    element,
    update(now) {
      const over = live(run) && !live(now);
      run = now;
      drawChips();
      again.hidden = seen === stand(run);
      if (over || (!body.childElementCount && !loading && seen !== stand(run) && ended(run) && !search.value))
        restart();
    },
    show,
  };
}

const stand = (run) => JSON.stringify(run.counts);

const head = (label, kind = "") => h("th", { scope: "col", role: "columnheader", class: kind }, label);

function peopleTable(body) {
  return h(
    "table",
    { class: "people-table", role: "table" },
    h("caption", { class: "hidden-visually" }, "Recipients of the run"),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        head("Recipient"),
        head("Ended as"),
        head("Why"),
        head("Attempts", "num"),
        head("Engine"),
        head("When", "num"),
      ),
    ),
    body,
  );
}

function person(each) {
  const { code, words } = reasonParts(each.reason);
  const cell = (label, kind, ...children) => h("td", { role: "cell", class: kind, "data-label": label }, ...children);
  return h(
    "tr",
    { role: "row", class: "row" },
    h(
      "th",
      { scope: "row", role: "rowheader", class: "cell-name" },
      h(
        "span",
        {
          class: "address",
          tabindex: 0,
          "data-item": true,
          title: each.provider_message_id ? `Provider's id: ${each.provider_message_id}` : null,
        },
        each.email,
      ),
      each.name && h("span", { class: "quiet" }, each.name),
    ),
    cell(
      "Ended as",
      "",
      endBadge(each.status),
      each.possible_duplicate &&
        h("span", { class: "badge tone-in_doubt", title: "May have got it twice" }, icon("question"), "maybe twice"),
    ),
    cell(
      "Why",
      "cell-why",
      each.reason
        ? [h("code", {}, code), words && h("span", { class: "quiet" }, words)]
        : h("span", { class: "quiet" }, "–"),
    ),
    cell("Attempts", "num", each.attempts ? number(each.attempts) : "–"),
    cell("Engine", "", each.engine ?? "–"),
    cell("When", "num", each.finished_at ? when(each.finished_at, { absolute: "clock" }) : "–"),
  );
}
