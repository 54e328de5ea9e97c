"""Plain text made of HTML."""

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.plain import plain_text
from outreach_stream.rendering.templates import CompiledTemplate

ADA = Recipient("ada@example.com", "Ada", {})


@pytest.mark.parametrize(("html", "text"), [
    ("<p>One <b>bold</b> word</p><p>and another</p>", "One bold word\n\nand another"),
    ('<a href="https://x.example/a?b=1&amp;c=2">See it</a>.', "See it <https://x.example/a?b=1&c=2>."),
    ('<a href=" HTTPS://x.example/">a <b>b</b></a>', "a b <HTTPS://x.example/>"),
    ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
    ('<a href="mailto:us@x.example">us@x.example</a>', "us@x.example"),
    ('<a href="#top">Up</a> <a href="javascript:x()">Run</a> <a>Bare</a>', "Up Run Bare"),
    ('<img src="cid:logo" alt="Hazel &amp; Co."><img src="t.gif" alt="">Hi', "[Hazel & Co.]Hi"),
    ('<div style="color: red; DISPLAY:none">Preheader &zwnj;&nbsp;</div><p hidden>x</p>Hello', "Hello"),
    ('<p style="display-inside: flow; border: none">shown</p>', "shown"),
    ("<ul><li>Sage<li>Mint</ul><ol><li>a</li><li>b</li></ol>", "  * Sage\n  * Mint\n 1. a\n 2. b"),
    ("<table><tr><th>Item</th><th>Price</th></tr><tr><td>Spade, long</td><td>€&nbsp;9</td></tr></table>",
     "Item         Price\nSpade, long  € 9"),
    ('<table role="presentation"><tr><td style="padding:40px">Left</td><td>Right</td></tr></table>', "Left\nRight"),
    ("<table><tr><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>", "a  b"),
    ("<style>p{}</style><script>x</script><title>T</title><!--c-->Hi<!---->you", "Hiyou"),
    ("<!--[if mso]><p>Outlook</p><![endif]-->All", "All"),
    ("&euro; &copy &#128512; &unknown; 1 &lt; 2", "€ © 😀 &unknown; 1 < 2"),
    ("🎉 👩‍👩‍👧 <span dir=rtl>שלום עולם</span> مرحبا", "🎉 👩‍👩‍👧 שלום עולם مرحبا"),
    ("<p>a <b>b <i>c</p><div>d</td></table></i>e", "a b c\n\nde"),
    ("one<br>two<br/><br><br><br>three<hr>", "one\ntwo\n\nthree"),
    ('<?xml version="1.0" encoding="latin-1"?><meta charset="latin-1"><p>é א', "é א"),
    ("a\0b \ud800", "ab ?"),
    ("just text", "just text"),
])
def test_what_a_reader_sees(html, text):
    """Words, lists, small tables and links arrive; layout, hidden text and markup do not."""
    assert plain_text(html) == text + "\n"


@pytest.mark.parametrize("html", ["", " \n", "<!-- x -->", "<style>p{}</style>", "<p></p>", "<?x?>", "<", "<>", "</p>"])
def test_nothing_to_see(html):
    """An empty page is empty text, and no error."""
    assert plain_text(html) in {"", html + "\n"}


def test_what_cannot_be_read_is_told():
    """What nests deeper than the parser goes would lose its end: that is an error, which holds nothing of the html."""
    with pytest.raises(RenderError, match="template offer, text: cannot be made from the html") as failure:
        plain_text("<div>" * 300 + "secret", template="offer")

    assert "secret" not in str(failure.value)


PADDED = "<tr><td>x" * 1000 + "<tr><td>" + "word " * 5000
HUGE = {
    "paragraphs": "<p>word " * 25_000, "links": '<a href="https://x.example/">a</a> ' * 6_000, "angles": "<" * 200_000,
    "ampersands": "&" * 200_000, "one wide cell": f"<table>{PADDED}", "wide row": "<table><tr>" + "<td>x" * 20_000,
    "comments": "<!--" * 50_000, "open links": "<a href='http://x'>" * 10_000,
    "tables": "<table><tr><td>x</table>" * 8_000, "indents": "<div style='padding-left:99999em'>x</div>" * 5_000,
    "attributes": "<p " + "a=b " * 50_000 + ">x",
}


@pytest.mark.parametrize("html", HUGE.values(), ids=HUGE)
def test_no_html_takes_more_than_its_size(html):
    """200 KB of whatever is read in about the memory of a tree: no table is padded to gigabytes, nothing is squared."""
    tracemalloc.start()
    try:
        with suppress(RenderError):
            plain_text(html)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 400 * len(html)


pieces = st.sampled_from([
    "<p>", "</p>", "<table>", "<td>", "</td>", "</table>", "<tr>", "<ul>", "<li>", "</ul>", "<ol start=x>", "<pre>",
    "<a href='https://x'>", "</a>", "<img alt=i>", "</pre>", "<br>", "&#0;", "&", "<", "<!--", "-->", "<svg>", "<?",
    "\n", "<td colspan=99 align=right>", "<![CDATA[", "]]>", "word", "<b style='display:none'>",
])


@given(html=st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=60).map("".join))
@settings(max_examples=400, deadline=None)
def test_nothing_odd_raises_anything_else(html):
    """Whatever stands in a template, the answer is a text or a `RenderError`."""
    try:
        text = plain_text(html)
    except RenderError:
        return
    assert text == "" or text.endswith("\n")


def test_a_template_without_text_gets_one():
    """It is made for each recipient, after escaping; `none` and an own text are respected, an empty one left out."""
    def text_of(**parts):
        return CompiledTemplate("t", {"subject": "s"} | parts).render(ADA, {"x": "<b>Tom & Jerry</b>"}).text

    assert text_of(html="<p>Dear {{ name }}, {{ x }}") == "Dear Ada, <b>Tom & Jerry</b>\n"
    assert text_of(html="<p>Dear", text="Own {{ x }}") == "Own <b>Tom & Jerry</b>"
    assert text_of(html="<p>Dear", text="none") is None
    assert text_of(html="<img src='cid:a'>") is None
