"""Mails composed together are those that would be composed one by one, and are written ahead for who asks for them."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.recipients.unsubscribing import Links
from outreach_stream.rendering.composer import BrokenSpec, SpecComposer

LINKS = Links("https://mail.s.example", ["k" * 32])
TEXT = """{% macro greet(who) %}{{ greeting or 'Hello' }} {{ who }}{% endmacro %}
{% if greeting %}{% set tone = greeting %}{% endif %}{{ greet(name or 'you') }}, {{ tone is defined }}
{% set seen = namespace(count=0, last='') %}
{% for item in items %}
{% set seen.count = seen.count + 1 %}{% set seen.last = item %} {{ loop.index }}. {{ item.strip() }}
{% endfor %}
{{ seen.count }} {{ seen.last }}
{% set comma = joiner() %}{{ comma() }}{{ comma() }}
{% for turn in range(turns) %}{% endfor %}
{{ note }}"""
HTML = """<p>{{ name }}</p>
{% autoescape false %}{{ note }}{{ items[first] }}{% endautoescape %}
{% set block %}<i>{{ note }}</i>{% endset %}{{ block }}"""
GOOD = {"greeting": None, "items": ["Sage"], "turns": 1, "note": "a & b", "first": 0}


def spec(**changed: Any) -> WorkflowSpec:
    return WorkflowSpec(
        workflow=Workflow.model_validate({
            "id": "w", "template": "t", "engines": ["relay"], "from": {"name": "Größe", "email": "news@s.example"},
            "unsubscribe": "newsletter", "headers": {"X-Note": "{{ note[:900] }}"}} | changed.pop("workflow", {})),
        template=Template.model_validate({"id": "t", "subject": "{{ subject }}", "text": TEXT, "html": HTML} | changed))


def request(index: int, engine: str = "relay", **given: Any) -> SendRequested:
    variables = GOOD | {"subject": f"Hi {index}"} | given
    email, name = variables.pop("email", f"p{index}@r.example"), variables.pop("name", "Ada")
    return SendRequested(run_id="run", chunk=0, index=index, email=email, name=name, engine=engine, spec="d",
                         deadline=60, variables={key: value for key, value in variables.items() if value != "absent"})


def one_by_one(composer: SpecComposer, requests: list[SendRequested]) -> list[Any]:
    made: list[Any] = []
    for each in requests:
        try:
            made.append(told(composer.compose(each, 1.0)))
        except Unrenderable as error:
            made.append(str(error))
    return made


def told(made: OutgoingMessage | Unrenderable) -> Any:
    if isinstance(made, Unrenderable):
        return str(made)
    forms = [made.mime(eight_bit=eight_bit, smtputf8=smtputf8) for eight_bit in (True, False)
             for smtputf8 in (True, False)]
    return made.message_id, made.sender, made.recipient, made.mail, forms


values = st.one_of(st.none(), st.just("absent"), st.text(max_size=80), st.sampled_from(["<", "x\r\ny", "é" * 900]))
members = st.fixed_dictionaries({}, optional={
    "name": st.one_of(st.none(), st.text(max_size=70)), "subject": values, "note": values, "greeting": values,
    "items": st.one_of(st.just("absent"), st.lists(st.text(max_size=70), max_size=4)),
    "first": st.sampled_from([0, 7, "absent"]), "turns": st.sampled_from([1, 99_000, 100_001]),
    "email": st.sampled_from(["a@x.example", "Jürgen@x.example", "a b@x.example"]),
})


@given(people=st.lists(members, max_size=5))
@example(people=[{}, {"note": None}, {}, {"first": 7}, {}, {"turns": 100_001}, {"email": "<@>"}, {"subject": " "}, {}])
@example(people=[{"greeting": "Good day", "items": ["a", "b", "c"]}, {}, {"greeting": "absent"}, {"items": []}])
@settings(max_examples=60, deadline=None)
def test_together_as_one_by_one(people: list[dict[str, Any]]) -> None:
    """Each mail is the same, byte by byte, whoever is composed with it; each failure stays with its recipient."""
    frozen, requests = spec(), [request(index, **person) for index, person in enumerate(people)]
    together, alone = SpecComposer(frozen, LINKS), SpecComposer(frozen, LINKS)
    together._skeleton = alone._skeleton  # of one boundary
    expected = one_by_one(alone, requests)

    assert [told(made) for made in together.compose_all(requests, 1.0)] == expected  # nothing is written ahead
    assert [told(made) for made in together.compose_all(requests, 1.0)] == expected


def test_failures_in_the_middle_are_told_each() -> None:
    """What is wrong with one, and at which line, is in its place; those around it have their mails."""
    wrong = {1: {"note": None}, 3: {"items": "absent"}, 5: {"first": 7}, 6: {"turns": 100_001}, 8: {"email": "a b@x.y"}}
    made = SpecComposer(spec(), LINKS).compose_all([request(i, **wrong.get(i, {})) for i in range(10)], 1.0)

    assert [i for i, mail in enumerate(made) if isinstance(mail, Unrenderable)] == [*wrong]
    assert [str(made[i]).removeprefix("template: template t, ") for i in wrong] == [
        "html: line 2: prints a value that is empty (NULL): write {{ variable or 'something else' }}",
        "html: line 2: reads 'items', which is not defined",
        "html: line 2: reads something that is not defined",
        "text: line 9: takes more than 100,000 steps",
        "template: to: the address cannot stand in a header",
    ]


@pytest.mark.parametrize("part", ["text", "html"])
@pytest.mark.parametrize("line", [1, 2, 70, 200])
def test_a_failure_amid_many_values_has_its_line(part: str, line: int) -> None:
    """Values that are printed in a row are one piece, and yet each tells its own line."""
    source = "\n".join("{{ absent }}" if number == line else "'{{ {'a': note}[\"a\"] }}\"" for number in range(1, 201))
    [made] = SpecComposer(spec(**{part: source}), LINKS).compose_all([request(0)], 1.0)

    assert str(made) == f"template: template t, {part}: line {line}: reads 'absent', which is not defined"


def counted(composer: SpecComposer, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The forms in which mails are written from now on."""
    forms, skeleton = [], composer._skeleton
    write = skeleton.write

    def counting(*args: Any, **form: Any) -> bytes:
        forms.append(form["eight_bit"])
        return write(*args, **form)

    monkeypatch.setattr(skeleton, "write", counting)
    return forms


def test_mails_are_written_ahead_in_the_form_asked_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as an engine has asked for one, those that follow are written once, when they are composed."""
    composer = SpecComposer(spec(), LINKS)
    written = counted(composer, monkeypatch)
    first, _ = composer.compose_all([request(0), request(1)], 1.0)
    assert isinstance(first, OutgoingMessage)
    assert not written  # nobody has asked yet
    first.mime(eight_bit=True)
    assert written == [True]

    second, _ = composer.compose_all([request(0), request(1)], 1.0)
    assert isinstance(second, OutgoingMessage)
    assert written == [True] * 3
    assert second.mime(eight_bit=True) == second.mime(eight_bit=True, smtputf8=True) == first.mime(eight_bit=True)
    assert written == [True] * 4  # that of `first`
    assert second.mime() == first.mime()
    assert written == [True] * 4 + [False] * 2


def test_mails_with_files_are_not_written_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has all the files' bytes in it, and a group of them would fill the memory."""
    composer = SpecComposer(spec(attachments=[{"name": "a.txt", "type": "text/plain", "content": b"a"}]), LINKS)
    composer.compose(request(0), 1.0).mime(eight_bit=True)
    written = counted(composer, monkeypatch)
    first, _ = composer.compose_all([request(0), request(1)], 1.0)

    assert isinstance(first, OutgoingMessage)
    assert not written
    assert b"a.txt" in first.mime(eight_bit=True)


def test_nothing_is_written_for_an_engine_that_never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hands subject and bodies to its provider does not pay for messages that another engine asks for."""
    composer = SpecComposer(spec(), LINKS)
    composer.compose(request(0), 1.0).mime()
    written = counted(composer, monkeypatch)
    composer.compose_all([request(0, "api"), request(1, "api")], 1.0)

    assert not written
    composer.compose_all([request(0, "api"), request(1, "relay")], 1.0)
    assert written == [False]


def test_all_mails_of_a_broken_spec_fail() -> None:
    """It says why in the place of each."""
    assert [str(made) for made in BrokenSpec("no").compose_all([request(0), request(1)], 1.0)] == ["no", "no"]
