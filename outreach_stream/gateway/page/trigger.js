// Start a workflow: its parameters, a look at whom it would mail and at the mail, a test to oneself, then the real thing.

import { get, post } from "./api.js";
import { confirm, dialog } from "./dialogs.js";
import { button, fill, h, icon } from "./dom.js";
import { many } from "./format.js";
import { announce, empty, note, trouble, waiting } from "./notices.js";
import { preview } from "./preview.js";
import { link } from "./router.js";
import { allows } from "./session.js";
import { nameWorkflows } from "./store.js";

const MAIL = "outreach.test-address";

/** The view. */
export function triggerView({ id, signal }) {
  const element = h("div", { class: "view" }, crumbs(), waiting("The workflow is being read."));
  async function load() {
    try {
      const { workflows } = await get("workflows");
      if (signal.aborted) return;
      nameWorkflows(workflows);
      const workflow = workflows.find((each) => each.id === id);
      fill(
        element,
        crumbs(),
        workflow
          ? form(workflow)
          : empty("There is no such workflow", h("p", {}, "Its file may have been removed, or cannot be read.")),
      );
    } catch (error) {
      if (!signal.aborted) fill(element, crumbs(), trouble(error, load));
    }
  }
  load();
  return { title: "Start a run", element };
}

const crumbs = () => h("p", { class: "crumbs" }, h("a", { href: "#/workflows" }, icon("back"), "All workflows"));

function form(workflow) {
  const fields = Object.entries(workflow.parameters ?? {}).map(([name, parameter]) => field(name, parameter));
  const people = workflow.has_query
    ? null
    : h("textarea", {
        rows: 4,
        spellcheck: "false",
        required: true,
        placeholder: "ann@example.org\nbob@example.org = Bob",
      });
  const look = button("Dry run", { symbol: "search", type: "submit" });
  const start = button("Start the run…", { symbol: "play", kind: "primary" });
  const trial = button("Test to me…", { symbol: "send" });
  const result = h("div", { class: "stack", "aria-live": "polite" });
  let key = newKey(); // one form is one run, however often its button is pressed
  const body = () => ({
    workflow_id: workflow.id,
    parameters: values(fields),
    ...(people && { recipients: recipientsOf(people.value) }),
  });

  async function dryRun() {
    fill(result, waiting("The recipients are being looked at."));
    try {
      const seen = await post("trigger", { ...body(), dry_run: true });
      fill(result, preview(seen));
      announce(`${many(seen.counts.to_mail ?? 0, "recipient")} would be mailed.`);
      return seen;
    } catch (error) {
      fill(result, trouble(error, dryRun, { alone: false }));
      return null;
    }
  }

  async function begin() {
    if (!sheet.reportValidity()) return;
    const seen = await dryRun();
    if (!seen) return;
    const count = seen.counts.to_mail ?? 0;
    let answer = null;
    const done = await confirm(
      `Start “${workflow.name}”?`,
      [
        h(
          "p",
          {},
          h("strong", {}, `${seen.complete ? "" : "At least "}${many(count, "recipient")} will be mailed`),
          ` through ${workflow.engines[0]}.`,
        ),
        seen.problems?.length > 0 && h("p", { class: "warned" }, seen.problems[0]),
        h("p", { class: "quiet" }, "You can pause or cancel it while it goes on."),
      ],
      {
        yes: "Start it",
        kind: "primary",
        symbol: "play",
        run: async () => {
          answer = await post("trigger", body(), { "Idempotency-Key": key });
        },
      },
    );
    if (!done) return;
    note("The run is accepted.");
    location.hash = link("runs", answer.run_id);
  }

  start.addEventListener("click", begin);
  trial.addEventListener("click", () => sheet.reportValidity() && testTo(workflow, values(fields)));
  const sheet = h(
    "form",
    {
      class: "card stack",
      on: {
        submit: (event) => {
          event.preventDefault();
          dryRun();
        },
        input: () => {
          key = newKey(); // what is asked for is another thing now
        },
      },
    },
    fields.length > 0 &&
      h(
        "fieldset",
        { class: "fields" },
        h("legend", {}, "Parameters"),
        fields.map((each) => each.element),
      ),
    people && h("label", { class: "field" }, h("span", {}, "Recipients, one a line"), people),
    h("p", { class: "quiet" }, "A dry run shows whom it would mail now, and the first mail. Nobody is mailed."),
    h("div", { class: "actions" }, start, look, workflow.has_query && trial),
  );
  return [
    h("div", { class: "view-head" }, h("h1", {}, `Start “${workflow.name || workflow.id}”`)),
    allows("trigger")
      ? sheet
      : h(
          "p",
          { class: "notice tone-in_doubt" },
          icon("key"),
          h("span", {}, "Your token may not start runs: ask for one with the scope trigger."),
        ),
    result,
  ];
}

function field(name, { default: standard = null, required = false }) {
  const input = h("input", {
    type: "text",
    name,
    autocomplete: "off",
    required,
    placeholder: standard === null ? (required ? "" : "not given") : text(standard),
  });
  return {
    name,
    input,
    element: h("label", { class: "field" }, h("span", {}, name, required && h("em", {}, " (needed)")), input),
  };
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Those that were filled in; like on the command line, what reads as JSON is JSON, the rest is text. */
function values(fields) {
  return Object.fromEntries(
    fields
      .filter(({ input }) => input.value !== "")
      .map(({ name, input }) => {
        try {
          return [name, JSON.parse(input.value)];
        } catch {
          return [name, input.value];
        }
      }),
  );
}

const recipientsOf = (lines) =>
  lines
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const [email, ...name] = line.split("=").map((part) => part.trim());
      return name.length ? { email, name: name.join("=") } : { email };
    });

const newKey = () =>
  `dashboard-${[...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

async function testTo(workflow, parameters) {
  const to = h("input", {
    type: "email",
    required: true,
    autocomplete: "email",
    value: sessionStorage.getItem(MAIL) ?? "",
    autofocus: true,
  });
  let answer = null;
  const done = await dialog(
    "Send a test to yourself",
    [
      h("p", {}, "One mail, made for the first recipient that the query finds, goes to you instead."),
      h("label", { class: "field" }, h("span", {}, "Your address"), to),
    ],
    [
      { label: "Not now", value: null },
      {
        label: "Send it",
        value: true,
        kind: "primary",
        symbol: "send",
        submit: true,
        run: async () => {
          answer = await post(`workflows/${encodeURIComponent(workflow.id)}/test`, { to: to.value.trim(), parameters });
          sessionStorage.setItem(MAIL, to.value.trim());
        },
      },
    ],
  );
  if (!done) return;
  note("The test is on its way: this is its run.");
  location.hash = link("runs", answer.run_id);
}
