// The address's fragment says what is shown: #/runs/ID, #/engines, … So every view can be linked to and gone back from.

/** `#/runs/abc?status=failed` as `{ path: ["runs", "abc"], query }`. */
export function place(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const link = (...path) => `#/${path.map(encodeURIComponent).join("/")}`;

/** What the tab is called. */
export function setTitle(text) {
  document.title = `${text} · outreach-stream`;
}

/**
 * Show the view that `choose(place)` names, at each change of the fragment. A view is `{ title, element, signal? }`; it is
 * told to end by the signal that it was given.
 */
export function route(choose, main) {
  let ending = new AbortController();
  let first = true;
  const show = () => {
    ending.abort();
    ending = new AbortController();
    const view = choose(place(), ending.signal);
    setTitle(view.title);
    main.replaceChildren(view.element);
    main.dataset.view = view.name;
    if (!first) {
      scrollTo(0, 0);
      main.focus({ preventScroll: true }); // else the next Tab begins anew at the top
    }
    first = false;
  };
  addEventListener("hashchange", show);
  show();
  return show;
}
