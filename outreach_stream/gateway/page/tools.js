// The head of the page: navigation, health, token, colours.

import { health } from "./api.js";
import { fill, fillIfNew, h, icon } from "./dom.js";
import { number } from "./format.js";
import { announce } from "./notices.js";
import { help } from "./keys.js";
import { askForToken, asksForTokens, onReader } from "./session.js";
import { lineState, listen } from "./store.js";
import { hurry } from "./stream.js";

const VIEWS = [
  ["runs", "Runs"],
  ["engines", "Engines"],
  ["schedules", "Schedules"],
  ["workflows", "Workflows"],
];
const LOOK = 4_000;
const THEME = "outreach.theme";
let trouble = null;

/** The links to the views; `current` is where the reader is, `missing` what this gateway does not have. */
export function showNavigation(current, missing = new Set()) {
  fill(
    document.getElementById("nav"),
    VIEWS.filter(([name]) => !missing.has(name)).map(([name, label]) =>
      h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, label)),
    ),
  );
}

/** The tools at the right; they live as long as the page. */
export function startTools() {
  const pulse = h("span", { class: "pulse", "data-state": "wait" }, h("i"), h("span", {}, "…"));
  const key = h("button", { type: "button", class: "tool", on: { click: () => askForToken({ wanted: false }) } });
  const theme = h("button", { type: "button", class: "tool", on: { click: () => nextTheme(theme) } });
  const keys = h(
    "button",
    {
      type: "button",
      class: "tool tool-keys",
      "aria-label": "Keyboard shortcuts",
      title: "Keyboard shortcuts",
      on: { click: help },
    },
    icon("question"),
  );
  fill(document.getElementById("tools"), pulse, key, theme, keys);
  drawTheme(theme);
  onReader((me) => drawKey(key, me));
  drawKey(key, null);
  listen(({ line }) => {
    if (line) drawPulse(pulse);
  });
  setInterval(() => look(pulse), LOOK);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look(pulse);
  });
  look(pulse);
}

function drawKey(key, me) {
  const label = me?.name ? `Token of ${me.name}: ${me.scopes.join(", ")}` : "Give a token";
  fill(key, icon("key"), me?.name && h("span", { class: "tool-name" }, me.name));
  key.hidden = Boolean(me) && !asksForTokens();
  key.title = key.ariaLabel = label;
}

async function look(pulse) {
  if (document.hidden) return;
  let found = null;
  try {
    found = await health();
  } catch (error) {
    if (error.status !== 0) return; // health is another's secret; the runs tell whether the gateway works
  }
  const was = trouble;
  trouble = !found ? "gateway" : found.broker?.reachable === false ? "broker" : null;
  pulse.roles = found?.roles ?? pulse.roles;
  drawBanner();
  drawPulse(pulse);
  if (!was || trouble) return;
  announce("The connection is back.");
  hurry();
}

const SAID = {
  gateway:
    "The gateway does not answer. What you see is what it said last; this page goes on by itself when it is back.",
  broker:
    "The gateway has lost its Kafka. Nothing is lost: what was accepted goes on when it is back, and so does this page.",
};

function drawBanner() {
  const banner = document.getElementById("banner");
  fillIfNew(
    banner,
    trouble,
    () => trouble && h("div", { class: "banner" }, icon("warning"), h("p", {}, SAID[trouble])),
  );
}

function drawPulse(pulse) {
  const roles = Object.entries(pulse.roles ?? {});
  const none = roles.filter(([, count]) => !count).map(([role]) => role);
  const state = trouble
    ? "bad"
    : none.length
      ? "warn"
      : lineState() === "live" || lineState() === "polling"
        ? "good"
        : "wait";
  const workers = roles.reduce((sum, [, count]) => sum + count, 0);
  const word = trouble ? "Away" : none.length ? `No ${none[0]}` : state === "good" ? "Live" : "Connecting";
  pulse.dataset.state = state;
  fillIfNew(pulse.lastChild, [word, workers], () => [
    word,
    state === "good" && workers > 0 && h("small", {}, ` · ${number(workers)} workers`),
  ]);
  pulse.title = roles.map(([role, count]) => `${role}: ${number(count)}`).join(", ");
}

const THEMES = {
  auto: ["Colours: as the system has them", "auto"],
  light: ["Colours: light", "sun"],
  dark: ["Colours: dark", "moon"],
};
const chosenTheme = () => document.documentElement.dataset.theme ?? "auto";

function nextTheme(control) {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(chosenTheme()) + 1) % names.length];
  if (next === "auto") {
    localStorage.removeItem(THEME);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(THEME, next);
    document.documentElement.dataset.theme = next;
  }
  drawTheme(control);
  announce(THEMES[next][0]);
}

function drawTheme(control) {
  const [label, symbol] = THEMES[chosenTheme()];
  fill(control, icon(symbol));
  control.title = control.ariaLabel = label;
}
