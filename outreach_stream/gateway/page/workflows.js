// The workflows that can be started.

import { getIfThere } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { empty, trouble, waiting } from "./notices.js";
import { link } from "./router.js";
import { nameWorkflows } from "./store.js";

/** The view. */
export function workflowsView({ signal }) {
  const list = h("div", {}, waiting("The workflows are being read."));
  async function load() {
    try {
      const found = await getIfThere("workflows");
      if (signal.aborted) return;
      nameWorkflows(found?.workflows ?? []);
      fill(
        list,
        !found
          ? empty(
              "This gateway tells no workflows",
              h("p", {}, "On the command line: ", h("code", {}, "outreach trigger WORKFLOW")),
            )
          : found.workflows.length
            ? h("div", { class: "cards" }, found.workflows.map(card))
            : none(),
      );
    } catch (error) {
      if (!signal.aborted) fill(list, trouble(error, load));
    }
  }
  load();
  return {
    title: "Workflows",
    element: h("div", { class: "view" }, h("div", { class: "view-head" }, h("h1", {}, "Workflows")), list),
  };
}

const none = () =>
  empty(
    "No workflow yet",
    h(
      "p",
      {},
      "A workflow is a file in the catalog's folder ",
      h("code", {}, "workflows/"),
      ": who gets which mail, and by when. ",
      h("code", {}, "outreach catalog check"),
      " says what is wrong with it.",
    ),
  );

function card(workflow) {
  const names = Object.keys(workflow.parameters ?? {});
  return h(
    "section",
    { class: "card workflow", "aria-label": `Workflow ${workflow.name}` },
    h(
      "div",
      { class: "card-head" },
      h(
        "div",
        {},
        h("h2", {}, workflow.name || workflow.id),
        h("span", { class: "quiet" }, `${workflow.id} · version ${workflow.version}`),
      ),
    ),
    h(
      "dl",
      { class: "facts" },
      [
        ["Template", workflow.template],
        ["Engines", workflow.engines.join(" → ")],
        ["Recipients", workflow.has_query ? "from its query" : "come with the trigger"],
        ["Parameters", names.length ? names.join(", ") : "none"],
        ["Schedules", workflow.schedules?.length ? workflow.schedules.join(", ") : "none"],
      ].map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    ),
    h(
      "div",
      { class: "actions" },
      h(
        "a",
        {
          class: "button primary",
          href: link("workflows", workflow.id),
          "data-item": true,
          "aria-label": `Start ${workflow.name}`,
        },
        icon("play"),
        h("span", {}, "Start…"),
      ),
    ),
  );
}
