// Orders to a run: what will happen, in figures, before it does.

import { post } from "./api.js";
import { confirm, dialog } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { many, number } from "./format.js";
import { note } from "./notices.js";
import { link } from "./router.js";
import { ended, listen, nameOf, runs } from "./store.js";
import { ENDS } from "./words.js";

const path = (run, order) => `runs/${encodeURIComponent(run.run_id)}/${order}`;

/** Ask, then cancel. */
export async function cancel(run) {
  const said = h("p");
  const say = () => fill(said, happens(runs.get(run.run_id)));
  const unlisten = listen(say); // it goes on while somebody thinks about it
  say();

  const yes = await confirm(
    `Cancel “${nameOf(run.workflow_id)}”?`,
    [
      said,
      h(
        "p",
        { class: "quiet" },
        "This is for good. Those who are left can be mailed later by a replay. To stop for a while only, pause it.",
      ),
    ],
    { yes: "Cancel the run", no: "Keep it", kind: "danger", symbol: "ban", run: () => post(path(run, "cancel")) },
  );
  unlisten();
  if (yes) note("Cancelled. The workers stop within seconds.");
}

function happens(run) {
  const { counts } = run;
  if (!counts.total) return ["Nobody has been mailed yet, and ", h("strong", {}, "nobody will be"), "."];
  return [
    `${many(counts.sent, "recipient")} of ${number(counts.total)} `,
    `${counts.sent === 1 ? "has" : "have"} the mail already and keep it. `,
    h("strong", {}, `The ${number(counts.total - ended(run))} who are left will not get it`),
    " and end as cancelled.",
  ];
}

/** Pause it, or let it go on: at once, for either can be taken back. */
export async function pauseOrResume(run) {
  await post(path(run, run.paused ? "resume" : "pause"));
  note(run.paused ? "Resumed." : "Paused. Its deadline goes on.");
}

const REPLAYABLE = ["failed", "expired", "in_doubt", "cancelled"];

/** How many recipients of an ended run could be mailed again. */
export const replayable = (run) => REPLAYABLE.reduce((sum, status) => sum + run.counts[status], 0);

/** Ask whom, then replay. */
export async function replay(run) {
  const boxes = REPLAYABLE.filter((status) => run.counts[status]).map((status) => {
    const box = h("input", {
      type: "checkbox",
      name: status,
      checked: status === "failed" || ((status === "expired" || status === "cancelled") && !run.counts.failed),
    });
    return [
      status,
      box,
      h(
        "label",
        { class: "choice" },
        box,
        h(
          "span",
          {},
          h("strong", {}, `${number(run.counts[status])} ${ENDS[status][0].toLowerCase()}`),
          h("small", {}, ENDS[status][2]),
        ),
      ),
    ];
  });
  const sum = h("p", { class: "sum", role: "status" });
  const doubt = h(
    "p",
    { class: "warned" },
    "Those in doubt may have the mail already: some will get it twice. Theirs are labelled as possible duplicates.",
  );
  const key = h("input", { type: "text", maxlength: 255, autocomplete: "off" });
  const chosen = () => boxes.filter(([, box]) => box.checked).map(([status]) => status);
  const say = () => {
    const count = chosen().reduce((total, status) => total + run.counts[status], 0);
    sum.textContent = count
      ? `${many(count, "recipient")} will be mailed again, as a run of its own.`
      : "Choose whom to mail again.";
    doubt.hidden = !chosen().includes("in_doubt");
  };
  for (const [, box] of boxes) box.addEventListener("change", say);
  say();
  let answer = null;
  const done = await dialog(
    `Replay “${nameOf(run.workflow_id)}”`,
    [
      h(
        "fieldset",
        { class: "choices" },
        h("legend", {}, "Who gets the mail again"),
        boxes.map(([, , label]) => label),
      ),
      doubt,
      sum,
      h(
        "details",
        {},
        h("summary", {}, "They were replayed before"),
        h(
          "label",
          { class: "field" },
          h("span", {}, "A key of your own"),
          key,
          h(
            "small",
            {},
            "The same choice is one replay, however often it is asked for. Under a new key it is another one, and they get the mail once more.",
          ),
        ),
      ),
    ],
    [
      { label: "Not now", value: null, focus: true },
      {
        label: "Replay them",
        value: true,
        kind: "primary",
        symbol: "replay",
        run: async () => {
          if (!chosen().length) throw new Error("Choose at least one kind of recipients.");
          answer = await post(path(run, "replay"), {
            statuses: chosen(),
            accept_duplicates: chosen().includes("in_doubt"),
            idempotency_key: key.value.trim() || null,
          });
        },
      },
    ],
  );
  if (!done) return;
  note("The replay is accepted: this is its run.");
  location.hash = link("runs", answer.run_id);
}
