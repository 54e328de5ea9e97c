"""What is printed by one call is what Jinja prints by three, and no part changes another."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.part import LARGEST_PART
from outreach_stream.rendering.steps import CHARACTERS, STEPS
from outreach_stream.rendering.templates import CompiledTemplate

EDGES = [
    "", "<", "a & b", "it's", 'a "b"', "x" * (CHARACTERS - 1), "<" * CHARACTERS, "ö<\0", 0, -1, 1 << 64, -(1 << 64),
    1 << 900, True, 1.5, float("nan"), Markup("<b>"), Markup("&" * CHARACTERS), [1, "<"], {"a": "&"}, ("'",),
]
SOURCES = [
    "{{ x }}", "{{ [x, '<']|join }}", "{{ x|safe }}", "{% set y %}{{ x }}{% endset %}{{ y }}|{{ y ~ x }}",
    "{% macro m() %}{{ x }}{% endmacro %}{{ m() }}", "{% autoescape true %}{{ x }}{% endautoescape %}{{ x }}",
    "{% autoescape no %}{{ x }}{% endautoescape %}{{ x }}",
]


def render(values, **parts):
    template = CompiledTemplate("t", {"subject": "x"} | parts)
    return template.render(Recipient("a@x.example", "Ada", values))


def same(value):
    for source in SOURCES:
        rendered = render({"x": value, "no": False}, text=source, html=source)
        for part, escapes in (("text", False), ("html", True)):
            jinja = Environment(autoescape=escapes, keep_trailing_newline=True)

            assert getattr(rendered, part) == jinja.from_string(source).render(x=value, no=False)
            assert type(getattr(rendered, part)) is str


@pytest.mark.parametrize("value", EDGES, ids=lambda value: f"{value!r:.12}")
def test_edges_are_printed_as_jinja_prints_them(value):
    """Short and long text, marked-up text, numbers of any size and lists, escaped or not, also in macros and blocks."""
    same(value)


@given(st.one_of(st.text(max_size=100), st.integers(), st.floats(), st.booleans()))
@settings(max_examples=60, deadline=None)
def test_anything_is_printed_as_jinja_prints_it(value):
    """Whatever a row holds."""
    same(value)


@pytest.mark.parametrize(("value", "becomes"), [
    ("token-1_a.b~c", "token-1_a.b~c"), ("a/b", "a%2Fb"), ("", ""), ("x" * 100, "x" * 100), ("é", "%C3%A9"), (-5, "-5"),
    ("a\n", "a%0A"), (Markup("<b>"), "%3Cb%3E"), (1.5, "1.5"), ("é" * 40, "%C3%A9" * 40), ("\u0661", "%D9%A1"),
    ("ß", "%C3%9F"),
])
def test_a_url_holds_nothing_that_could_change_it(value, becomes):
    """Only what needs no encoding is printed as it stands, however short it is, also where it is escaped."""
    for source in ("{{ x }}", "{% autoescape true %}{{ x }}{% endautoescape %}",
                   "{% autoescape yes %}{{ x }}{% endautoescape %}"):
        rendered = render({"x": value, "yes": True}, text="t", list_unsubscribe="https://u.example/" + source)

        assert rendered.unsubscribe == "https://u.example/" + becomes


def test_parts_share_no_variables():
    """What one part sets or defines, another does not see, nor does the next mail."""
    parts = {"text": "{% set city = 'Rome' %}{% macro m() %}m{% endmacro %}{{ city }}{{ m() }}", "html": "{{ city }}",
             "headers.X-A": "{{ m is defined }}", "list_unsubscribe": "https://u.example/{{ city }}"}
    template = CompiledTemplate("t", {"subject": "{{ city }}"} | parts)

    for city in ("Bath", "Köln"):
        made = template.render(Recipient("a@x.example", "", {"city": city}))

        assert (made.subject, made.text, made.html) == (city, "Romem", city)
        assert dict(made.headers) == {"X-A": "False"}


def test_a_failure_leaves_no_trace_in_the_next_mail():
    """A mail that failed where escaping was off does not leave it off."""
    source = "{% autoescape false %}{{ [x][n] }}{% endautoescape %}{% set y %}<i>{{ x }}</i>{% endset %}{{ y }}"
    template = CompiledTemplate("t", {"subject": "x", "html": source})
    with pytest.raises(RenderError, match="html: line 1"):
        template.render(Recipient("a@x.example", "", {"x": "<", "n": 1}))

    assert template.render(Recipient("b@x.example", "", {"x": "<", "n": 0})).html == "<<i>&lt;</i>"


@pytest.mark.parametrize("loop", ["for a in range(n)", "for a in range(n) if true", "for a in range(n) recursive"])
def test_a_turn_costs_its_body_however_it_is_counted(loop):
    """The body's length is paid for by each turn: so many turns go as fit into the budget, and not one more."""
    body = "x" * CHARACTERS * 10
    template = CompiledTemplate("t", {"subject": "x", "text": f"{{% {loop} %}}{body}{{% endfor %}}"})
    turns = STEPS // 12
    assert len(template.render(Recipient("a@x.example", "", {"n": 1_000})).text) == 1_000 * len(body)

    with pytest.raises(RenderError, match=r"line 1: takes more than 100,000 steps|larger than"):
        template.render(Recipient("a@x.example", "", {"n": turns + 1_000}))


def test_a_part_that_grows_too_large_is_given_up_before_it_is_made():
    """Sixty-four values are one piece: what they make is looked at before there are many of them."""
    html = "{% for i in range(9000) %}" + "{{ a }}" * 64 + "{% endfor %}"
    template = CompiledTemplate("t", {"subject": "x", "text": "x", "html": html})
    tracemalloc.start()
    try:
        with pytest.raises(RenderError, match="larger than"):
            template.render(Recipient("a@x.example", "", {"a": '"' * 63}))
        assert tracemalloc.get_traced_memory()[1] < 32 * LARGEST_PART
    finally:
        tracemalloc.stop()
