// Dialogs: the browser's own <dialog>, which keeps the focus in and gives it back.

import { button, h } from "./dom.js";
import { told } from "./notices.js";

let numbers = 0;

/**
 * Ask something. `actions` are `{ label, value, kind?, focus?, run? }`; one with `run` is a step that may fail: the
 * dialog stays open meanwhile, and says why it did not work. Resolves to the chosen value; null: it was closed.
 */
export function dialog(title, content, actions, { onSubmit = null } = {}) {
  const id = `dialog-${++numbers}`;
  const error = h("p", { class: "dialog-error", role: "alert" });
  const buttons = actions.map((action) =>
    button(action.label, {
      kind: action.kind ?? "",
      symbol: action.symbol,
      type: action.submit ? "submit" : "button",
      autofocus: action.focus,
      on: action.submit ? {} : { click: () => choose(action) },
    }),
  );
  const form = h(
    "form",
    { method: "dialog", class: "dialog-body" },
    h("h2", { id }, title),
    content,
    error,
    h("div", { class: "dialog-actions" }, buttons),
  );
  const box = h("dialog", { "aria-labelledby": id }, form);
  let chosen = null;
  let busy = false;

  async function choose(action) {
    if (busy) return;
    if (action.run) {
      busy = true;
      error.textContent = "";
      form.setAttribute("aria-busy", "true");
      try {
        await action.run();
      } catch (problem) {
        error.textContent = told(problem);
        return;
      } finally {
        busy = false;
        form.removeAttribute("aria-busy");
      }
    }
    chosen = action.value;
    box.close();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = actions.find((each) => each.submit);
    if (action) choose(action);
    else onSubmit?.();
  });
  box.addEventListener("click", (event) => {
    if (event.target === box && !busy) box.close();
  });
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(chosen);
    });
  });
}

/** One thing that will be done or not: the safe answer has the focus. */
export function confirm(title, content, { yes, no = "Not now", kind = "primary", symbol, run }) {
  return dialog(title, content, [
    { label: no, value: null, focus: true },
    { label: yes, value: true, kind, symbol, run },
  ]);
}
