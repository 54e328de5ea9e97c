// What a run would do: whom it would mail, whom not, and the first mail.

import { h, icon } from "./dom.js";
import { many, number } from "./format.js";
import { mailPicture } from "./mail.js";

/** A dry run's answer. */
export function preview(seen) {
  const left = Object.entries(seen.counts)
    .filter(([name, count]) => name !== "to_mail" && count)
    .map(([name, count]) => `${number(count)} ${name}`);
  return [
    h(
      "section",
      { class: "card", "aria-labelledby": "whom" },
      h("h2", { id: "whom" }, `${seen.complete ? "" : "At least "}${many(seen.counts.to_mail ?? 0, "recipient")}`),
      left.length > 0 && h("p", { class: "quiet" }, `Left out: ${left.join(", ")}.`),
      seen.problems?.map((problem) => h("p", { class: "notice tone-failed" }, icon("warning"), h("span", {}, problem))),
      seen.recipients.length > 0 &&
        h(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": "The first recipients" },
          h(
            "table",
            { class: "plain" },
            h("caption", { class: "hidden-visually" }, "The first recipients"),
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Address", "Name", "Mailed"].map((label) => h("th", { scope: "col" }, label)),
              ),
            ),
            h(
              "tbody",
              {},
              seen.recipients.map((each) =>
                h(
                  "tr",
                  {},
                  h("th", { scope: "row" }, each.email),
                  h("td", {}, each.name ?? ""),
                  h("td", {}, each.skipped ? `no: ${each.skipped}` : "yes"),
                ),
              ),
            ),
          ),
        ),
    ),
    seen.mail && mail(seen.mail),
  ];
}

function mail(shown) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "mail" },
    h("h2", { id: "mail" }, "The first mail"),
    h(
      "dl",
      { class: "facts mail-head" },
      [
        ["Subject", shown.subject],
        ...Object.entries(shown.headers ?? {}).filter(([name]) => ["From", "To", "Reply-To"].includes(name)),
      ].map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    ),
    h(
      "div",
      { class: "mail" },
      shown.html &&
        h(
          "div",
          { class: "scroll mail-html", tabindex: 0, role: "region", "aria-label": "The mail as it looks" },
          mailPicture(shown.html),
        ),
      shown.text &&
        h(
          "pre",
          { class: "mail-text", tabindex: 0, role: "region", "aria-label": "The mail as plain text" },
          shown.text,
        ),
    ),
  );
}
