// A mail as it looks, as a picture: what is in a picture runs no script, loads nothing and reaches nothing.

import { h } from "./dom.js";

const WIDTH = 640;
const HEIGHT = 1_000;

// Our policy forbids styles in the page's own markup, and browsers hold even text that is only parsed to it. While a
// mail is parsed its styles therefore have other names.
const STYLE = "data-mail-style";
const SHEET = "noembed"; // like <style>, what is in it is text

/** An image of the mail's HTML. */
export function mailPicture(html) {
  const renamed = html
    .replaceAll(/(\s)style(\s*=)/gi, `$1${STYLE}$2`)
    .replaceAll(/<(\/?)style(?=[\s>])/gi, `<$1${SHEET}`);
  const parsed = new DOMParser().parseFromString(renamed, "text/html");
  for (const each of parsed.querySelectorAll("script, iframe, object, embed, link, base, meta")) each.remove();
  const page = new XMLSerializer()
    .serializeToString(parsed.documentElement)
    .replaceAll(STYLE, "style")
    .replaceAll(new RegExp(`<(/?)${SHEET}(?=[\\s>])`, "g"), "<$1style");
  const picture =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">` +
    `<foreignObject width="100%" height="100%">${page}</foreignObject></svg>`;
  return h("img", {
    src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture)}`,
    width: WIDTH,
    height: HEIGHT,
    alt: "The mail; its words are in the plain text beside it.",
  });
}
