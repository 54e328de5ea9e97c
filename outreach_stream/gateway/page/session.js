// Who the reader is: a token for this tab, and what it allows.

import { getIfThere, setToken, token, tokenHolder, whenUnauthorized } from "./api.js";
import { dialog } from "./dialogs.js";
import { h } from "./dom.js";
import { announce } from "./notices.js";

let me = null;
let asking = null;
let declined = false;
const listeners = new Set();

/** Be told when somebody else reads. */
export const onReader = (listener) => listeners.add(listener);

export const reader = () => me;

/** Whether the gateway asks for tokens: one that does not has no name for anybody. */
export const asksForTokens = () => Boolean(me?.name) || declined || Boolean(token());

/** Whether the token allows it, as far as is known: the gateway has the last word. */
export const allows = (scope) => !me || me.scopes.includes(scope) || (scope === "read" && me.scopes.length > 0);

/** Ask the gateway who we are; a gateway without tokens does not know, and lets everybody do everything. */
export async function identify() {
  try {
    me = await getIfThere("me");
  } catch {
    me = null;
  }
  for (const listener of listeners) listener(me);
}

/** Ask for a token. Resolves to whether one was given. However many requests want one, it is asked for once. */
export function askForToken({ wanted = true } = {}) {
  asking ??= ask(wanted).finally(() => {
    asking = null;
  });
  return asking;
}

async function ask(wanted) {
  const input = h("input", {
    type: "password",
    id: "token",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "token-hint",
    autofocus: true,
  });
  const had = token();
  const answer = await dialog(
    "Your token",
    [
      h(
        "p",
        { id: "token-hint" },
        wanted
          ? had
            ? "The gateway does not take this token (any more). "
            : "This gateway wants to know who you are. "
          : "",
        "Whoever runs it gives out tokens. Yours is kept in this tab, and forgotten when you close it.",
      ),
      h("label", { class: "field" }, h("span", {}, "Token"), input),
    ],
    [
      had && !wanted ? { label: "Forget it", value: "forget" } : { label: "Not now", value: null },
      {
        label: "Use it",
        value: "use",
        kind: "primary",
        submit: true,
        run: async () => {
          const candidate = input.value.trim();
          if (!/^[\x21-\x7e]+$/.test(candidate)) throw new Error("That is no token: copy it whole, in one line.");
          await tokenHolder(candidate);
        },
      },
    ],
  );
  if (answer === "forget") setToken(null);
  if (answer === "use") setToken(input.value.trim());
  if (!answer && wanted) setToken(null); // one that is not taken is not sent again and again
  declined = !answer && wanted;
  if (!answer) return false;
  announce(answer === "use" ? "The token is in use." : "The token is forgotten.");
  setTimeout(identify); // when the request that asked has its answer
  return answer === "use";
}

// Who says no is not asked again by what happens by itself, every few seconds.
whenUnauthorized(async () => !declined && askForToken());
