// What is said to everybody: a short note at the bottom, and a sentence for screen readers.

import { advice } from "./api.js";
import { h, icon, setText } from "./dom.js";

const STAY = 7_000;

/** Say something to screen readers only, when they are done with what they are saying. */
export function announce(text) {
  const said = document.getElementById("said");
  said.textContent = "";
  setTimeout(() => setText(said, text), 50); // the same words twice are two announcements
}

/** A short note that goes by itself, unless somebody is at it. */
export function note(text, tone = "sent") {
  const box = document.getElementById("toasts");
  const close = h(
    "button",
    { type: "button", class: "toast-close", "aria-label": "Dismiss", on: { click: () => toast.remove() } },
    icon("cross"),
  );
  const toast = h(
    "div",
    { class: `toast tone-${tone}` },
    icon(tone === "failed" ? "warning" : "check"),
    h("p", {}, text),
    close,
  );
  box.append(toast);
  while (box.children.length > 3) box.firstChild.remove();
  announce(text);
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, STAY) : toast.remove());
  setTimeout(leave, tone === "failed" ? STAY * 2 : STAY);
}

/** What an error says, and what to do about it, as one text. */
export const told = (error) => [error.message, advice(error)].filter(Boolean).join(" ");

const PASSING = new Set([0, 429, 503, 504]);

/** An error where its content would be, with a way to try again; if `alone`, what passes is tried again by itself. */
export function trouble(error, again, { alone = true } = {}) {
  const box = h(
    "div",
    { class: "trouble", role: "alert" },
    icon("warning"),
    h("p", {}, told(error)),
    again && h("button", { type: "button", class: "button small", on: { click: again } }, "Try again"),
  );
  const wait = Math.max(error.retryAfter ?? 0, 4) * 1000;
  if (again && alone && PASSING.has(error.status)) setTimeout(() => box.isConnected && again(), wait);
  return box;
}

/** Nothing to show, and the next step. */
export function empty(title, ...body) {
  return h("div", { class: "empty" }, icon("send"), h("h2", {}, title), ...body);
}

/** Grey lines where content will be. */
export const waiting = (label) =>
  h(
    "div",
    { class: "waiting", role: "status" },
    h("span", { class: "hidden-visually" }, label),
    h("i"),
    h("i"),
    h("i"),
  );
