// The keyboard: single keys where nothing is being typed, which can be turned off (WCAG 2.1.4).

import { h } from "./dom.js";
import { dialog } from "./dialogs.js";

const OFF = "outreach.keys";
const own = new Map();

const HELP = [
  ["j or ↓", "next in a list"],
  ["k or ↑", "previous in a list"],
  ["Enter", "open it"],
  ["/", "search"],
  ["g then r, e, s, w", "go to runs, engines, schedules, workflows"],
  ["p", "pause or resume the run that is shown"],
  ["c", "cancel it"],
  ["R", "replay recipients of it"],
  ["Esc", "close a dialog, clear the search, go back from it"],
  ["?", "this help"],
];

/** Have a key do something while `signal` lasts. */
export function onKey(key, action, signal) {
  own.set(key, action);
  signal.addEventListener("abort", () => {
    if (own.get(key) === action) own.delete(key);
  });
}

const enabled = () => localStorage.getItem(OFF) !== "off";
const typing = (target) =>
  target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
let going = -Infinity;

/** Begin to listen. */
export function startKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]"))
      return;
    if (typing(event.target)) return void leave(event);
    if (handle(event)) event.preventDefault();
  });
}

function leave(event) {
  if (event.key !== "Escape" || event.target.type !== "search") return;
  if (!event.target.value) event.target.blur();
}

function handle(event) {
  const { key } = event;
  if (key === "ArrowDown" || key === "ArrowUp") return step(key === "ArrowDown" ? 1 : -1, true);
  if (!enabled()) return key === "?" && help();
  if (performance.now() - going < 1_200) {
    going = -Infinity;
    const view = { r: "runs", e: "engines", s: "schedules", w: "workflows" }[key];
    if (view) location.hash = `#/${view}`;
    return Boolean(view);
  }
  if (key === "g") return Boolean((going = performance.now()));
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1, false);
  if (key === "?") return help();
  if (key === "/") return focused(document.querySelector("main input[type=search]"));
  if (own.has(key)) return own.get(key)() !== false;
  return false;
}

function focused(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

/** Move in the list of things that can be opened; arrows only from one of them, so that they scroll elsewhere. */
function step(by, onlyFromOne) {
  const items = [...document.querySelectorAll("main [data-item]")].filter((each) => each.offsetParent);
  const at = items.indexOf(document.activeElement);
  if (!items.length || (onlyFromOne && at < 0)) return false;
  const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(Math.max(at + by, 0), items.length - 1);
  items[next].focus();
  items[next].scrollIntoView({ block: "nearest" });
  return true;
}

/** The list of keys. */
export function help() {
  const toggle = h("input", {
    type: "checkbox",
    checked: enabled(),
    on: { change: () => (toggle.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "off")) },
  });
  dialog(
    "Keyboard",
    [
      h(
        "dl",
        { class: "keys" },
        HELP.map(([key, does]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, does))),
      ),
      h("label", { class: "choice" }, toggle, h("span", {}, "Single keys are shortcuts")),
    ],
    [{ label: "Close", value: "close", focus: true }],
  );
  return true;
}
