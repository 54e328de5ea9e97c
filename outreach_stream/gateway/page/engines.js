// The engines: what each may send, sends now, and whether it takes mail at all.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { engineCard } from "./engine.js";
import { empty, told, trouble, waiting } from "./notices.js";

const LOOK = 1_500;

/** The view. */
export function enginesView({ signal }) {
  const list = h("div", { class: "cards" }, waiting("The engines are being read."));
  const cards = new Map();
  let failed = null;

  async function load() {
    if (document.hidden) return;
    try {
      const { engines } = await get("engines");
      if (signal.aborted) return;
      failed = null;
      draw(engines);
    } catch (error) {
      if (signal.aborted || (cards.size && error.status === 0)) return; // the banner says it
      const text = told(error);
      if (failed !== text) fill(list, trouble(error, load));
      failed = text;
      cards.clear();
    }
  }

  function draw(engines) {
    if (!engines.length)
      return void fill(
        list,
        empty(
          "No engine yet",
          h(
            "p",
            {},
            "An engine is a file in the catalog's folder ",
            h("code", {}, "engines/"),
            ": an SMTP relay, SendGrid, Amazon SES or Mailgun.",
          ),
          h("p", {}, h("code", {}, "outreach engine check"), " says whether it is set up right."),
        ),
      );
    const ids = engines.map((engine) => engine.id);
    if (String([...cards.keys()]) !== String(ids)) {
      cards.clear();
      for (const engine of engines) cards.set(engine.id, engineCard(engine, load));
      fill(
        list,
        [...cards.values()].map((each) => each.element),
      );
    }
    for (const engine of engines) cards.get(engine.id).update(engine);
  }

  const timer = setInterval(load, LOOK);
  signal.addEventListener("abort", () => clearInterval(timer));
  load();
  return {
    title: "Engines",
    element: h("div", { class: "view" }, h("div", { class: "view-head" }, h("h1", {}, "Engines")), list),
  };
}
