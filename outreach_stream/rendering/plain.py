"""Plain text made of HTML: spam filters distrust a mail without it, and terminals, watches and screen readers read it.

The library is inscriptis on lxml: tables stay tables, lists stay lists, malformed HTML is read as browsers do. What is
ours is what mails need: tables that only lay out are taken apart, what is hidden stays hidden, links keep their target.
"""

import re

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from inscriptis.model.css import CssParse
from inscriptis.model.html_element import HtmlElement
from lxml import etree, html

from outreach_stream.rendering.failures import RenderError

_WIDEST_CELL = 60
"""Characters of a cell beyond which its table is taken for a layout. Every cell of a column is padded to the widest:
a table of many rows and one long paragraph would become gigabytes."""

_LAYOUTS = etree.XPath("//table[@role='presentation' or @role='none' or .//table or "
                       f".//*[self::td or self::th][string-length(normalize-space()) > {_WIDEST_CELL}]]")
_LOOSE = etree.XPath("//*[self::tr or self::td or self::th][not(ancestor::table)]")
_LINKS = etree.XPath("//a[re:test(@href, '^\\s*(https?|mailto|tel):', 'i')]",
                     namespaces={"re": "http://exslt.org/regular-expressions"})

_DISPLAY = re.compile(r"(?:^|[;\s])display\s*:\s*(none|block|inline)", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")


def _style(style: str, element: HtmlElement) -> None:
    """Of a style nothing counts but whether it is shown, and as a block: paddings would only indent."""
    if found := _DISPLAY.search(style):
        CssParse.attr_display(found[1].lower(), element)


_CONFIG = ParserConfig(css=STRICT_CSS_PROFILE, display_images=True)
_CONFIG.attribute_handler.attribute_mapping = {
    **_CONFIG.attribute_handler.attribute_mapping, "style": _style,
    "hidden": lambda _, element: CssParse.attr_display("none", element),
}
_PARSER = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)


def plain_text(source: str, *, template: str = "") -> str:
    """What a reader of `source` sees, as text; empty if that is nothing. Half a millisecond for a usual mail.

    A link is followed by its address, an image is its `alt`. Raises `RenderError` for HTML that cannot be read.
    """
    try:
        tree = _read(source)
        return "" if tree is None else _tidy(Inscriptis(tree, _CONFIG).get_text())
    except Exception as error:  # noqa: BLE001 - whatever a library makes of odd HTML concerns one mail only
        raise RenderError("text", f"cannot be made from the html ({type(error).__name__}): give the template a text, "
                                  "or write `text: none`", template=template) from None


def _read(source: str) -> etree._Element | None:
    """The tree as it is to be read; None when there is nothing in it."""
    data = source.replace("\0", "").encode("utf-8", "replace")
    if not data.strip():
        return None
    tree = etree.fromstring(data, _PARSER)
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in _PARSER.error_log.filter_from_fatals()):
        raise ValueError("nested too deeply: what is beyond is lost")
    if tree is None:
        return None
    for layout in _LAYOUTS(tree):
        layout.tag = "div"
    for cell in _LOOSE(tree):
        cell.tag = "div"
    for link in _LINKS(tree):
        target = link.get("href").strip()
        shown = None if len(link) else (link.text or "").strip()
        if shown not in {target, target.partition(":")[2]}:
            link.tail = f" <{target}>{link.tail or ''}"
    return tree


def _tidy(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    text = _BLANK_LINES.sub("\n\n", text)
    return text + "\n" if text.strip() else ""
