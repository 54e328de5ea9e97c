"""What a template reads without the sandbox's look at it is what the sandbox would give."""

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.access import HARMLESS
from outreach_stream.rendering.failures import RenderError
from outreach_stream.rendering.sandbox import MailEnvironment
from outreach_stream.rendering.templates import CompiledTemplate

VALUES = {
    "plain": {"city": "Bath", "_id": 7, "items": "eggs", "get": "got", "__class__": "of its own", "nothing": None},
    "rows": [{"n": 1}, {"n": 2}], "text": "{0.__class__} {x}", "whole": 5, "broken": 1.5, "yes": True, "nothing": None,
    "pair": (1, 2), "safe": Markup("<b>{}</b>"),
}


def render(source, part="text", **values):
    template = CompiledTemplate("t", {"subject": "x", part: source})
    return getattr(template.render(Recipient("a@x.example", "Ada", VALUES | values)), part)


def jinja(source, **values):
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(source).render(VALUES | values)


@pytest.mark.parametrize("source", [
    "{{ plain.city }} {{ plain['city'] }} {{ plain._id }} {{ plain['_id'] }}",
    "{{ plain['items'] }} {{ plain['get'] }} {{ plain['__class__'] }}",
    "{% for k, v in plain.items() %}{{ k }}{% endfor %}{{ plain.get('city') }} {{ plain.keys()|list }}",
    "{{ plain.gone is defined }} {{ plain.gone|default('none') }}",
    "{{ rows.0.n }} {{ rows[1].n }} {{ rows.count(1) }} {{ rows.index(rows[1]) }} {{ pair.1 }} {{ pair.count(1) }}",
    "{{ text.upper() }} {{ 'a, b'.split(', ')[1] }} {{ 'x'.join(['a', 'b']) }} {{ text['upper']() }}",
    "{{ '{:>5}|{}'.format(whole, text) }} {{ '{a.city}'.format(a=plain) }} {{ '{a}'.format_map({'a': 1}) }}",
    "{{ (safe ~ '<').upper() }} {{ safe.format('<i>') }} {{ safe.striptags() }}",
    "{{ whole.real }} {{ whole.bit_length() }} {{ broken.is_integer() }} {{ yes.numerator }}",
    "{% for r in rows %}{{ loop.index }}{{ loop.last }}{{ loop.nextitem is defined }}{{ 'A,B'.lower() }}{% endfor %}",
    "{% for r in rows %}{{ loop['first'] }}{{ loop.cycle('a', 'b') }}{{ loop.changed(r) }}{% endfor %}",
    "{% for f in ['{0.real}'.format, 1] %}{{ loop.previtem(2) if loop.last else '-' }}{% endfor %}",
])
def test_attributes_and_items_are_jinjas(source):
    """Keys with the names of methods, methods, items by number and what is not there read as in Jinja's own sandbox."""
    assert render(source) == jinja(source)


@pytest.mark.parametrize(("source", "says"), [
    ("{{ plain.gone }}", "line 1: reads 'gone', which is not defined"),
    ("\n{{ plain['gone'] }}", "line 2: reads 'gone', which is not defined"),
    ("{{ text.gone }}", "line 1: reads 'gone', which is not defined"),
    ("{{ rows[9] }}", "line 1: reads something that is not defined"),
    ("{{ nothing.city }}", "line 1: reads 'city', which is not defined"),
    ("{{ plain.nothing }}", r"line 1: prints a value that is empty \(NULL\)"),
])
def test_what_is_not_there_is_an_error_as_before(source, says):
    """A key or attribute that is missing is named, with its line."""
    with pytest.raises(RenderError, match=f"^template t, text: {says}"):
        render(source)


@pytest.mark.parametrize("source", [
    "{{ text.__class__ }}", "{{ plain.__class__ }}", "{{ rows.__len__() }}", "{{ whole.__init__ }}",
    "{{ safe.__html__() }}",
    "{{ text['__class__'] }}", "{{ text|attr('__class__') }}", "{{ ''.format.__globals__ }}",
    "{{ text.format.__self__ }}",
    "{{ text.format(1, x=2) }}", "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ '{a.__class__}'.format(a='x') }}",
    "{{ '{a.__init__.__globals__}'.format(a=safe) }}", "{{ safe.__class__.mro() }}", "{{ Markup.mro() }}",
    "{% for r in rows %}{{ loop._iterator }}{% endfor %}",
    "{% for r in rows %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{{ plain.clear() }}", "{{ plain.update({}) }}", "{{ plain.pop('city') }}", "{{ rows.append(1) }}",
    "{{ rows.sort() }}",
])
def test_nothing_leads_out_of_the_sandbox(source):
    """What begins with an underscore, what changes a list or mapping, and both through `format`, is refused."""
    with pytest.raises(RenderError, match=r"fails with (SecurityError|TemplateSyntaxError)|not defined"):
        render(source)
    assert VALUES["plain"]["city"] == "Bath"


def test_only_the_sandbox_says_what_is_harmless():
    """No attribute is read at once that the sandbox would refuse or replace by one of its own."""
    sandbox = MailEnvironment()

    assert ("split" in dir(str)) and (str, "split") in HARMLESS and (dict, "items") in HARMLESS
    assert not {name for _, name in HARMLESS if name.startswith("_") or name in {"format", "format_map", "mro"}}
    assert not {(list, "append"), (dict, "pop"), (dict, "update"), (dict, "clear")} & HARMLESS
    for kind, name in HARMLESS:
        if kind in {str, Markup, int, float, bool, list, tuple, dict}:
            assert sandbox.is_safe_attribute(kind(), name, None)
            value = kind()
            assert getattr(value, name) == super(MailEnvironment, sandbox).getattr(value, name)


def test_a_subclass_is_looked_at():
    """Only exact types are known: an object that claims a text's method is asked for its own."""
    class Loud(str):
        __slots__ = ()

        def upper(self):
            return "own"

    assert render("{{ x.upper() }}", x=Loud("a")) == "own"
