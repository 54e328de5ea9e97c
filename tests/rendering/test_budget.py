"""A template that loops for ever, or asks for all memory, ends: by the same step on every machine."""

import pytest
from jinja2 import Environment, StrictUndefined

from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.steps import STEPS
from outreach_stream.rendering.templates import CompiledTemplate

WORDS = [f"word{n}" for n in range(2_000)]
VALUES = {"words": WORDS, "long": "a <b> " * 4_000, "tags": "<>" * 20_000, "digits": "9" * 4_000, "n": 9, "rows":
          [{"city": f"C{n % 3}", "sum": n, "kids": [{"city": "K", "sum": 1, "kids": []}]} for n in range(6)]}
STEPS_SPENT = f"more than {STEPS:,} steps"


def render(source, part="text"):
    template = CompiledTemplate("t", {"subject": "x", part: source})
    return getattr(template.render(Recipient("a@x.example", "Ada", VALUES), {}), part)


def doubling(what, start, then=""):
    return f"{{% set ns = namespace(l={start}, m={start}) %}}{{% for i in range(40) %}}{what}{{% endfor %}}{then}"


def repeated(what):
    return f"{{% set ns = namespace(s='a') %}}{{% for i in range(99000) %}}{what}{{% endfor %}}"


BOTH = "{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}"
TUPLES = "{% set ns.l = (ns.l, ns.l) %}"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("source", [
    "{% for a in words %}{% for b in words %}{% endfor %}{% endfor %}",
    "{% for a in words %}{% for b in words if false %}{% endfor %}{% endfor %}",
    "{% for a in long %}{% for b in long %}{% else %}{% endfor %}{% endfor %}",
    "{% for a in words recursive %}{% if loop.depth < 3 %}{{ loop(words) }}{% endif %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m(n) %}{{ caller() }}{% endmacro %}" + repeated("{% call m(1) %}x{% endcall %}"),
    "{% set x %}" + repeated("x" * 20_000) + "{% endset %}",
    "{% macro m() %}" + repeated("{{ long }}") + "{% endmacro %}{{ m()|length }}",
    repeated("{% set ns.s = ns.s ~ ns.s %}"), repeated("{% set ns.s = ns.s + ns.s %}"),
    repeated("{% set x = long[1:] %}"), repeated("{% if 'x' in words %}{% endif %}"),
    repeated("{% if long + 'a' == long + 'b' %}{% endif %}"), repeated("{% set x = words|sort %}"),
    repeated("{% set x = rows|tojson %}"), repeated("{% set x = words|map('upper') %}"), repeated("{{ 'a'|upper }}"),
    repeated("{% if n %}{% endif %}" * 700), repeated("{{ words.index('word1999') }}"),
    doubling(BOTH, "[1]", "{{ ns.l }}"), doubling(BOTH, "[1]", "{{ ns.l|tojson }}"),
    doubling(BOTH, "[1]", "{{ ns.l == ns.m }}"), doubling(BOTH, "[1]", "{{ ns.l is eq ns.m }}"),
    doubling(TUPLES, "(1,)", "{{ {}[ns.l] }}"), doubling(TUPLES, "(1,)", "{{ {ns.l: 1} }}"),
    doubling(TUPLES, "(1,)", "{{ {}.get(ns.l) }}"), doubling(TUPLES, "(1,)", "{{ [ns.l]|unique }}"),
    "{{ 'x'|center(1000000000) }}", "{{ 'x'.ljust(1000000000) }}", "{{ words|batch(1000000000, 'x') }}",
    "{{ words|slice(1000000000) }}", "{{ 1.5|round(10000000, 'ceil') }}", "{{ long|replace('', long) }}",
    "{{ words|join(long) }}", "{{ long.join(words) }}", "{{ long.translate({97: long}) }}", "{{ long|wordwrap(1) }}",
    "{{ tags|striptags }}", "{{ (('%(a)s' * 10000) % dict(a=long)) }}", "{{ ('{0}' * 10000).format(long) }}",
    "{{ range(99999999999)|list }}", "{% set x = [-100000000]|map(' turn')|list %}" + repeated("{{ n|abs }}" * 8),
    "{% set x = [words]|map(' each', -100000000)|map('list')|list %}" + repeated("{{ n|abs }}" * 8),
])
def test_what_takes_too_many_steps_is_ended(source):
    """Loops and calls however they are nested, and single steps that would make or look at far too much."""
    for part in ("text", "html"):
        with pytest.raises(RenderError, match=STEPS_SPENT):
            render(source, part)


@pytest.mark.parametrize(("source", "says"), [
    ("{% set ns = namespace(n=7) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "1,024 bits"),
    ("{{ digits|int // 7 }}", "1,024 bits"), ("{{ [words]|sum(start=[]) }}", "not a number"),
    ("{{ '%1000000000d'|format(1) }}", "width"), ("{{ '%*d' % (1000000000, 1) }}", "width"),
    ("{{ '{:1000000000}'.format(1) }}", "width"), ("{{ '{:{w}}'.format(1, w=1000000000) }}", "width"),
    ("{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}", "RecursionError"),
    ("{% set x = ['nan'|float]|map(' turn')|list %}", "ValueError"),
    ("{% set x = [words]|map(' each', 'nan'|float)|map('list')|list %}", "ValueError"),
])
def test_what_cannot_be_counted_is_refused(source, says):
    """Numbers without bounds, sums of lists, fields of any width, and macros that never come back."""
    with pytest.raises(RenderError, match=says):
        render(source)


@pytest.mark.parametrize("source", [
    "{{ words }}" * 4_000, "{{ [" + "1," * 9_000 + "] }}", "{{ " + "n ~ " * 9_000 + "n }}",
])
def test_a_part_has_so_much_code_at_most(source):
    """To compile takes time and memory by its length, before any step is counted; plain text is no code."""
    with pytest.raises(TemplateErrors, match="10,000 words and signs"):
        render(source)
    assert len(render("plain { text } " * 20_000)) == 300_000


@pytest.mark.parametrize("source", [
    "{% for r in rows %}{{ loop.index }}/{{ loop.length }} {{ loop.last }} {{ loop.revindex }}|{% endfor %}",
    "{% for r in rows %}{{ loop.nextitem.sum if not loop.last else '' }}{{ loop.changed(r.city) }}{% endfor %}",
    "{% for r in rows %}{{ loop.cycle('odd', 'even') }}{{ loop.previtem.sum if loop.index0 else '' }}{% endfor %}",
    "{% for r in rows if r.sum > 2 %}{{ loop.first }}{{ r.sum }}{% else %}none{% endfor %}",
    "{% for r in rows if r.sum > 99 %}{{ r.sum }}{% else %}none{% endfor %}",
    "{% for r in rows recursive %}{{ loop.depth }}{{ r.city }}{{ loop(r.kids) }}{% endfor %}",
    "{% for city, group in rows|groupby('city') %}{{ city }} {{ group|sum(attribute='sum') }};{% endfor %}",
    "{% for k, v in rows[0].items() %}{{ k }}{% endfor %}{% for k in rows[0] %}{{ k }}{% endfor %}",
    "{{ rows|map(attribute='city')|unique|join(', ') }} {{ rows|selectattr('sum', 'gt', 3)|list|length }}",
    "{% for row in rows|batch(4, '-') %}[{{ row|length }}]{% endfor %}",
    "{% for column in rows|slice(2) %}{{ column|length }}{% endfor %}",
    "{{ '%s of %05.2f' % ('a', 1.5) }} {{ '{:>6,.2f}'.format(1234.5) }} {{ '%s'|format(n) }} {{ n * 3 + 1.5 }}",
    "{{ long|replace('a', 'bc')|truncate(30) }} {{ long|striptags|wordcount }} {{ long|wordwrap(40)|length }}",
    "{% macro item(a, b='-') %}{{ a }}{{ b }}{{ varargs|length }}{% endmacro %}{{ item(1) }}{{ item(1, 2, 3) }}",
    "{% macro box(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call box('x') %}<y>{% endcall %}",
    "{% filter upper %}ab{{ n }}{% endfilter %}{% set x %}a{{ n }}{% endset %}{{ x }}",
    "{% set x %}a{{ n }}{% endset %}{{ x ~ 'b' ~ n }}{{ x in ['a9'] }}{{ 1 < n < 10 }}{{ words[1:3] }}{{ {n: 1}[9] }}",
    "{% set ns = namespace(l=[]) %}{% for r in rows %}{% set ns.l = ns.l + [r] %}{% endfor %}{{ ns.l|length }}",
    "{{ rows|sort(attribute='city,sum', reverse=true)|first }}{{ rows|tojson }}{{ missing|default(1) }}",
    "{{ 'www.x.example'|urlize }}{{ {'a': '<'}|xmlattr }}{{ long|indent(4)|length }}{{ 'a'|center(5) }}{{ 2.5|round }}",
])
def test_counting_changes_nothing_else(source):
    """What stays within its steps is rendered as Jinja renders it, loop variables, filters and macros included."""
    for part in ("text", "html"):
        plain = Environment(autoescape=part == "html", keep_trailing_newline=True, undefined=StrictUndefined)

        assert render(source, part) == plain.from_string(source).render(VALUES)


def test_the_budget_is_each_mails_own():
    """What one recipient's mail has used up is there again for the next."""
    template = CompiledTemplate("t", {"subject": "x", "text": "{% for a in range(n) %}{% endfor %}ok"})

    for _ in range(2):
        with pytest.raises(RenderError, match=STEPS_SPENT):
            template.render(Recipient("a@x.example", "", {"n": STEPS + 1}))
        assert template.render(Recipient("b@x.example", "", {"n": STEPS - 10})).text == "ok"
