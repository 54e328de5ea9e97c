// One engine: what it may send, what it sends, why it stands as it does, and the orders it takes.

import { post } from "./api.js";
import { dialog } from "./dialogs.js";
import { button, fillIfNew, h, icon, setText } from "./dom.js";
import { number, rate, share, when } from "./format.js";
import { note, told } from "./notices.js";
import { link } from "./router.js";
import { allows } from "./session.js";
import { ended, live, nameOf, runs } from "./store.js";
import { badge } from "./words.js";

const STATES = {
  ok: ["Takes mail", "check", "sent"],
  throttled: ["Throttled", "clock", "in_doubt"],
  stopped: ["Stopped", "stop", "failed"],
};

/** `{ element, update(engine) }`; `reload` is called after an order. */
export function engineCard(first, reload) {
  const state = h("span");
  const now = h("strong", { class: "big" });
  const limit = h("span", { class: "quiet" });
  const needle = h("i", { class: "part-sent" });
  const gauge = h(
    "div",
    { class: "gauge", role: "meter", "aria-label": `Rate of ${first.id}`, "aria-valuemin": 0 },
    needle,
  );
  const body = h("div", { class: "stack tight" });
  const actions = h("div", { class: "actions" });
  const element = h(
    "section",
    { class: "card engine", "aria-label": `Engine ${first.id}` },
    h(
      "div",
      { class: "card-head" },
      h(
        "div",
        {},
        h("h2", {}, first.id),
        h("span", { class: "quiet" }, KINDS[first.kind] ?? first.kind ?? "its file cannot be read"),
      ),
      state,
    ),
    h("div", { class: "gauge-line" }, now, limit),
    gauge,
    body,
    actions,
  );
  return {
    element,
    update(engine) {
      fillIfNew(state, engine.state, () => badge(STATES[engine.state] ?? [engine.state, "dots", "wait"]));
      const speed = engine.measured_rate ?? 0;
      setText(now, engine.state === "stopped" && !speed ? "0/s" : rate(speed));
      setText(limit, limitText(engine));
      gauge.hidden = !engine.rate;
      if (engine.rate) {
        needle.style.inlineSize = `${Math.min(100, (100 * speed) / engine.rate)}%`;
        gauge.setAttribute("aria-valuemax", engine.rate);
        gauge.setAttribute("aria-valuenow", Math.min(speed, engine.rate));
        gauge.setAttribute("aria-valuetext", `${rate(speed)} of ${rate(engine.rate)}`);
      }
      const mine = [...runs.values()].filter((run) => run.engine === engine.id && live(run));
      fillIfNew(
        body,
        [
          engine.state,
          engine.reason,
          engine.until,
          engine.factor && Math.round(engine.factor * 50),
          engine.warnings,
          mine.map((run) => run.run_id),
        ],
        () => [
          fuse(engine),
          caps(engine),
          work(mine, engine.state === "stopped"),
          engine.warnings.map((text) =>
            h("p", { class: "notice tone-in_doubt" }, icon("warning"), h("span", {}, text)),
          ),
        ],
      );
      fillIfNew(actions, [engine.state, allows("admin")], () => allows("admin") && orders(engine, reload));
      element.dataset.state = engine.state;
    },
  };
}

const KINDS = {
  smtp: "SMTP relay",
  sendgrid: "SendGrid",
  ses: "Amazon SES",
  mailgun: "Mailgun",
  memory: "In memory, for rehearsals",
};

function limitText(engine) {
  if (engine.rate) return `of ${rate(engine.rate)} allowed`;
  return engine.rate_by === "provider" ? "as the provider allows" : "no limit";
}

/** Why it stands as it does. */
function fuse(engine) {
  if (engine.state === "ok") return null;
  const reason = engine.reason && h("span", { class: "reason-text" }, engine.reason);
  if (engine.state === "stopped")
    return h(
      "p",
      { class: "notice tone-failed" },
      icon("stop"),
      h(
        "span",
        {},
        "Stopped ",
        when(engine.since),
        engine.by && ` by ${engine.by}`,
        reason ? [": ", reason] : "",
        ". Its mail waits until it is resumed.",
      ),
    );
  return h(
    "p",
    { class: "notice tone-in_doubt" },
    icon("clock"),
    h(
      "span",
      {},
      engine.until ? ["Pauses, and goes on ", when(engine.until), " with "] : "Uses ",
      share(engine.factor, 1),
      " of its rate and climbs",
      reason ? [": ", reason] : "",
    ),
  );
}

function caps(engine) {
  const said = [
    engine.hourly && `${number(engine.hourly)} an hour`,
    engine.daily && `${number(engine.daily)} a day`,
  ].filter(Boolean);
  return said.length > 0 && h("p", { class: "quiet" }, `At most ${said.join(", ")}.`);
}

function work(mine, stopped) {
  if (!mine.length) return h("p", { class: "quiet" }, "No run uses it now.");
  return h(
    "p",
    { class: "quiet" },
    stopped ? "Keeps waiting: " : "Sends for ",
    mine
      .slice(0, 3)
      .map((run, i) => [
        i > 0 && ", ",
        h(
          "a",
          { href: link("runs", run.run_id) },
          `${nameOf(run.workflow_id)} (${number(run.counts.total - ended(run))} to go)`,
        ),
      ]),
    mine.length > 3 && ` and ${number(mine.length - 3)} more`,
    ".",
  );
}

function orders(engine, reload) {
  if (engine.state === "ok")
    return button("Stop…", {
      symbol: "stop",
      kind: "quiet-danger",
      "data-item": true,
      on: { click: () => stop(engine, reload) },
    });
  return button(engine.state === "stopped" ? "Resume" : "Resume at full rate", {
    symbol: "play",
    kind: "primary",
    "data-item": true,
    on: {
      click: async () => {
        try {
          await post(`engines/${encodeURIComponent(engine.id)}/resume`);
          note(`${engine.id} takes mail again.`);
          await reload();
        } catch (error) {
          note(told(error), "failed");
        }
      },
    },
  });
}

async function stop(engine, reload) {
  const reason = h("input", { type: "text", maxlength: 200, id: "reason", autocomplete: "off" });
  const mine = [...runs.values()].filter((run) => run.engine === engine.id && live(run));
  const open = mine.reduce((sum, run) => sum + run.counts.total - ended(run), 0);
  const done = await dialog(
    `Stop ${engine.id}?`,
    [
      h(
        "p",
        {},
        mine.length
          ? [
              "It sends for ",
              number(mine.length),
              mine.length === 1 ? " run" : " runs",
              ": ",
              h("strong", {}, `${number(open)} recipients will wait`),
              " until somebody resumes it, or do what their workflow says for a stopped engine.",
            ]
          : "No run uses it now. Runs to come will wait until somebody resumes it, or do what their workflow says for a stopped engine.",
      ),
      h("label", { class: "field" }, h("span", {}, "Why (others will read it)"), reason),
    ],
    [
      { label: "Not now", value: null, focus: true },
      {
        label: "Stop it",
        value: true,
        kind: "danger",
        symbol: "stop",
        run: () =>
          post(`engines/${encodeURIComponent(engine.id)}/stop`, {
            reason: reason.value.trim() || "stopped on the dashboard",
          }),
      },
    ],
  );
  if (!done) return;
  note(`${engine.id} is stopped.`);
  await reload();
}
