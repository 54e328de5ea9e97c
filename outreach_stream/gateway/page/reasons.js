// Reasons for people. A reason is a short code, often with the provider's words behind it: what the code says by itself.

// RFC 3463, section 3: the second and third number of an enhanced status code.
const ENHANCED = {
  1.1: "There is no such mailbox.",
  1.2: "There is no such domain.",
  1.3: "The address is malformed.",
  "1.10": "The domain takes no mail.",
  2.1: "The mailbox is disabled.",
  2.2: "The mailbox is full.",
  2.3: "The mail is too large for this mailbox.",
  3.4: "The mail is too large.",
  4.1: "The recipient's server does not answer.",
  4.4: "The recipient's server cannot be found.",
  4.7: "It could not be delivered in time.",
  "6.0": "The content is not taken.",
  7.1: "Refused by the recipient's policy, or for our reputation.",
};
const SUBJECTS = {
  1: "The address is not taken.",
  2: "The mailbox takes no mail.",
  3: "The recipient's system takes no mail.",
  4: "The network or its routing failed.",
  5: "The servers did not understand each other.",
  6: "The content is not taken.",
  7: "Refused for policy or security.",
};
const ENDINGS = [
  [/connection_lost$|_lost$|timeout$|no_answer$/, "The line was lost before the answer came."],
  [/engine_stopped/, "The engine was stopped."],
  [/engine_throttled|rate|429|throttl/, "The provider wanted us to be slower."],
  [/engine_unreachable|connect/, "The engine could not be reached."],
  [/deadline/, "The deadline passed first."],
  [/too_large/, "The mail is too large."],
  [/suppress/, "On the suppression list."],
  [/unsubscribed/, "Has unsubscribed."],
  [/duplicate/, "The address was there before."],
  [/address|invalid/, "The address is not valid."],
];

/** The code, and the provider's words or else what the code says. */
export function reasonParts(reason) {
  const text = reason ?? "";
  const cut = text.indexOf(": ");
  const code = cut > 0 && cut < 60 ? text.slice(0, cut) : text;
  return { code, words: code === text ? meaning(code) : text.slice(cut + 2) };
}

/** What a code says, in a sentence; empty: nothing that is known here. */
export function meaning(code) {
  const found = /(?:^|_)[245]\.(\d{1,3})\.(\d{1,3})(?:_|$)/.exec(code);
  if (found) return ENHANCED[`${found[1]}.${found[2]}`] ?? SUBJECTS[found[1]] ?? "";
  return ENDINGS.find(([pattern]) => pattern.test(code))?.[1] ?? "";
}
