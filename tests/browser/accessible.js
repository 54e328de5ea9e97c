// Looked for in the page itself, as a reader's software sees it. Returns what is wrong, a line for each.
() => {
  const wrong = [];
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const describe = (element) => `${element.tagName.toLowerCase()}.${element.className.baseVal ?? element.className} "${element.textContent.trim().slice(0, 40)}"`;

  // Landmarks, headings, ids.
  for (const landmark of ["header", "nav", "main"]) if (document.querySelectorAll(landmark === "header" ? "body > header" : landmark).length !== 1) wrong.push(`not one ${landmark}`);
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} h1`);
  let level = 0;
  for (const heading of all("h1, h2, h3")) {
    if (Number(heading.tagName[1]) > level + 1) wrong.push(`heading skipped before ${describe(heading)}`);
    level = Number(heading.tagName[1]);
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  for (const id of new Set(ids)) if (ids.filter((each) => each === id).length > 1) wrong.push(`id ${id} twice`);
  for (const each of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (each.getAttribute("aria-labelledby") ?? each.getAttribute("aria-describedby")).split(" ")) if (!document.getElementById(id)) wrong.push(`no ${id} for ${describe(each)}`);
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");

  // Names: of everything that can be operated, of pictures, tables and bars.
  const name = (element) => (element.getAttribute("aria-label") ?? document.getElementById(element.getAttribute("aria-labelledby"))?.textContent
    ?? (element.labels?.length ? [...element.labels].map((label) => label.textContent).join(" ") : element.innerText) ?? "").trim();
  for (const each of all("a, button, input, textarea, summary, [tabindex='0'], [role=img], [role=meter], [role=progressbar], [role=region], section"))
    if (!name(each)) wrong.push(`no name: ${describe(each)}`);
  for (const each of all("img")) if (!each.hasAttribute("alt")) wrong.push(`no alt: ${each.src.slice(0, 60)}`);
  for (const each of all("table")) {
    if (!each.caption) wrong.push(`no caption: ${describe(each)}`);
    if (!each.querySelector("thead th[scope=col]")) wrong.push(`no headers: ${describe(each)}`);
  }
  for (const each of all("[tabindex]")) if (each.tabIndex > 0) wrong.push(`tabindex ${each.tabIndex}`);

  // Contrast of text (WCAG 1.4.3) and of the borders of what can be operated (1.4.11), computed from what is painted.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(rgba(getComputedStyle(each).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (rgb) => rgb.map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || seen.has(element) || !shown(element) || element.closest(".hidden-visually, .skip, title, :disabled")) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const below = ground(element.closest("svg")?.parentElement ?? element);
    const ratio = contrast(over(rgba(element.closest("svg") ? style.fill : style.color), below), below);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${describe(element)}`);
  }
  for (const each of all("input, textarea, .button")) {
    const style = getComputedStyle(each);
    const around = ground(each.parentElement);
    const ratio = Math.max(contrast(over(rgba(style.borderTopColor), around), around), contrast(ground(each), around));
    if (ratio < 3) wrong.push(`border ${ratio.toFixed(2)}: ${describe(each)}`);
  }
  for (const each of all(".bar .part, .meter i, .key, .pulse i")) {
    if (!each.getBoundingClientRect().width || each.classList.contains("part-rest")) continue;
    const around = ground(each.parentElement);
    const ratio = contrast(ground(each), around);
    if (ratio < 3) wrong.push(`colour ${ratio.toFixed(2)}: ${describe(each)}`);
  }
  return [...new Set(wrong)];
}
