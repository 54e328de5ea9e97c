// Elements, made without ever parsing text as markup: what a provider or a database says stays text.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `props` are attributes, but `on` (listeners by event) and what is a property, as `value`. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(element, name, value);
  element.append(...kept(children));
  return element;
}

function setProp(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (name === "value" || name === "checked" || name === "disabled") {
    element[name] = value;
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Children without the ones that are not there: `condition && child`. */
function kept(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

/** An SVG element. */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) if (value !== null) element.setAttribute(name, String(value));
  element.append(...kept(children));
  return element;
}

/** Set an element's text, only if it differs: what a screen reader or a selection is at is left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replace an element's children. */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
  element.madeOf = null;
  return element;
}

/** Replace them only if `key` is not what they were made of. */
export function fillIfNew(element, key, make) {
  const text = JSON.stringify(key);
  if (element.madeOf === text) return;
  fill(element, make());
  element.madeOf = text;
}

/** The same, and whoever was in there finds himself where he was: the focus, and what was open. */
export function refill(element, key, make) {
  const focused = element.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  const open = new Set([...element.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  fillIfNew(element, key, make);
  for (const each of element.querySelectorAll("details")) each.open ||= open.has(each.dataset.key);
  if (!focused || focused.isConnected) return;
  const again = [...element.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused.dataset.key);
  (again?.matches("details") ? again.querySelector("summary") : again)?.focus({ preventScroll: true });
}

const PATHS = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  question: "M8.2 8.6a3.9 3.9 0 1 1 5.7 3.4c-1.3.7-1.9 1.5-1.9 2.8M12 19v.1",
  clock: "M12 7v5l3.2 2M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z",
  pause: "M9 6v12M15 6v12",
  play: "M8 5.5v13l10.5-6.5z",
  stop: "M6 6h12v12H6z",
  ban: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM5.8 5.8l12.4 12.4",
  replay: "M4 12a8 8 0 1 0 2.6-5.9M4 4.5v4.6h4.6",
  send: "M4 12l16-7-6 15-3-6.5z",
  dots: "M6 12h.01M12 12h.01M18 12h.01",
  warning: "M12 4l9 16H3zM12 10v4.2M12 17.2v.1",
  sun: "M12 16.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.2A8.5 8.5 0 0 1 9.8 4a8.5 8.5 0 1 0 10.2 10.2z",
  auto: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM12 3v18M12 7l6.5 0M12 12l9 0M12 17l6.5 0",
  key: "M14.5 9.5a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM13.4 12.4L20 19M17 16l2-2",
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13zM15.3 15.3L20 20",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  back: "M14.5 5.5L8 12l6.5 6.5",
  skip: "M6 6l7 6-7 6zM17 6v12",
};

/** A small picture that says nothing to a screen reader: a word stands beside it. */
export function icon(name) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] ?? PATHS.dots }),
  );
}

/** A button with an icon and its word. */
export function button(label, { kind = "", symbol = null, ...props } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, ...props },
    symbol && icon(symbol),
    h("span", {}, label),
  );
}
