// Numbers, times and spans as the reader's own language writes them.

const whole = new Intl.NumberFormat();
const tenth = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const LANGUAGE = ago.resolvedOptions().locale;
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

export const number = (value) => whole.format(value);

/** Mails a second: exact where they are few. */
export const rate = (value) =>
  `${value >= 10 || Number.isInteger(value) ? whole.format(Math.round(value)) : tenth.format(value)}/s`;

/** `of` may be 0: then nothing is a part of it. */
export const share = (part, of) =>
  part && part < of / 1000 ? `< ${percent.format(0.001)}` : percent.format(of ? part / of : 0);

/** `1 recipient`, `2 recipients`. */
export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** `3 minutes ago`, `in 2 hours`. */
export function relative(date, now = Date.now()) {
  const seconds = (date.getTime() - now) / 1000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1);
  return ago.format(Math.trunc(seconds / size), unit);
}

/** `6.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(seconds) {
  const left = Math.max(0, seconds);
  if (left < 10) return `${tenth.format(left)} s`;
  const parts = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const first = parts.findIndex(([, size]) => left >= size);
  const [unit, size] = parts[first];
  const rest = parts[first + 1] ? Math.floor((left % size) / parts[first + 1][1]) : 0;
  return `${number(Math.floor(left / size))} ${unit}${rest ? ` ${rest} ${parts[first + 1][0]}` : ""}`;
}

/** A `<time>` that says how long ago, or until when, and the exact moment to whoever points at it. */
export function when(text, { absolute = false } = {}) {
  const element = document.createElement("time");
  setWhen(element, text, { absolute });
  return element;
}

export function setWhen(element, text, { absolute = false } = {}) {
  if (element.dateTime === text) return;
  const date = new Date(text);
  element.dateTime = text;
  element.lang = LANGUAGE; // the page around it is English
  element.title = full.format(date);
  if (absolute) element.textContent = absolute === "clock" ? clock.format(date) : dayAndTime.format(date);
  else {
    element.dataset.relative = "";
    element.textContent = relative(date);
  }
}

export const moment = (text) => dayAndTime.format(new Date(text));
export const clockTime = (text) => clock.format(new Date(text));

/** Whatever says how long ago goes on saying so. */
setInterval(() => {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = relative(new Date(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}, 1000);
