"""Strict templates."""

import pytest

from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.part import LARGEST_PART
from outreach_stream.rendering.templates import LONGEST_HEADER, CompiledTemplate, Rendered


def compiled(subject="Hi", **parts):
    return CompiledTemplate("welcome", {"subject": subject, "text": None, "html": None} | parts)


def render(template, parameters=None, /, name="Ada", **variables):
    return template.render(Recipient("ada@example.com", name, variables), parameters or {})


def test_three_parts_and_an_address():
    """HTML is escaped and nothing else is; what a URL template prints is percent-encoded."""
    template = compiled("{{ name }} & co", text="{{ x }}", html="<b>{{ x }}</b>", list_unsubscribe="https://u/{{ x }}")

    assert render(template, x="<a b/c>") == \
        Rendered("Ada & co", "<a b/c>", "<b>&lt;a b/c&gt;</b>", "https://u/%3Ca%20b%2Fc%3E")


def test_the_recipient_wins_over_the_parameters():
    """A parameter is beneath the row's own column of that name, and neither replaces the address."""
    template = compiled("{{ city }} {{ sale }} {{ email }}")

    assert render(template, {"city": "all", "sale": 5, "email": "x"}, city="Bath").subject == "Bath 5 ada@example.com"


def test_a_subject_is_one_line():
    """Line breaks that a variable brings into a subject become spaces; an empty subject is an error."""
    assert render(compiled("Hi {{ x }}\n"), x="a\r\nBcc: b").subject == "Hi a Bcc: b"
    with pytest.raises(RenderError, match="subject: is empty"):
        render(compiled("{{ x }}"), x="\n")


def test_missing_variables_are_named_with_their_parts():
    """The check names each variable that is neither column nor parameter, and who reads it."""
    template = compiled("{{ name }} {{ city }}", text="{{ city }} {% for p in plants %}{{ p }}{% endfor %} {{ off }}")

    problems = template.check(columns=["email", "plants"], parameters=["off"])

    assert len(problems) == 1
    assert "'city' (in subject, text of template welcome)" in problems[0]
    assert template.check(columns=["city", "plants"], parameters=["off"]) == []


@pytest.mark.parametrize(("source", "says"), [
    ("one\n{{ gone }}", "line 2: reads 'gone'"),
    ("{{ nothing }}", r"line 1: prints a value that is empty \(NULL\)"),
    ("{{ secret | int(base=99) + 1 }}{{ secret + 1 }}", "fails with TypeError"),
    ("{{ data[secret] }}", "reads something that is not defined"),
    ("{{ secret.__class__.__mro__ }}", "fails with|not defined|reads"),
    ("{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}", "100,000 steps"),
    ("{{ 'x' * 10000000 }}", r"\* makes more"),
    ("{{ n ** n }}", r"\*\* is not allowed"),
    ("{% for a in range(100) %}{{ long }}{% endfor %}", f"larger than {LARGEST_PART:,}"),
    ("{% for a in range(90000) %}{{ secret }}{{ secret }}{% endfor %}", f"larger than {LARGEST_PART:,}"),
    ("{{ data.update({}) }}", "fails with SecurityError"),
])
def test_what_fails_names_the_line_and_no_data(source, says):
    """An error tells the part, the line and the variable, and never what a recipient's row holds."""
    with pytest.raises(RenderError, match=says) as failure:
        render(compiled(text=source), secret="hunter2@home", nothing=None, data={}, n=9, long="y" * 20_000)

    assert failure.value.part == "text"
    assert "hunter2" not in str(failure.value)


def test_all_parts_are_compiled_before_any_is_refused():
    """All problems of a template come at once, with part and line."""
    with pytest.raises(TemplateErrors) as errors:
        compiled("{{", text="\n{% include 'x' %}", html="{% if %}")

    assert [part for part, _ in errors.value.problems] == ["subject", "text", "html"]
    assert "line 2" in errors.value.problems[1][1]


def test_headers_of_the_workflow():
    """They have the recipient's values in one line, an empty one is left out, and one too long is an error."""
    template = compiled(text="x", **{"headers.X-City": "in {{ city }}", "headers.X-Code": "{{ code or '' }}"})

    assert render(template, city="Bath\r\nBcc: b", code="").headers == (("X-City", "in Bath Bcc: b"),)
    assert template.check(columns=["code"], parameters=[])[0].startswith("variable 'city' (in headers.X-City of")
    with pytest.raises(RenderError, match=r"headers\.X-City: is longer than 870"):
        render(template, city="x" * LONGEST_HEADER, code="")
    with pytest.raises(TemplateErrors, match=r"headers\.X-A: line 1"):
        compiled(text="x", **{"headers.X-A": "{{"})


@pytest.mark.parametrize(("source", "becomes"), [
    ("{{ email }}", "ada%40example.com"),
    ("{{ email | urlencode }}", "ada%40example.com"),
    ("{{ email | urlencode | urlencode }}", "ada%40example.com"),
    ("{% set who = email | urlencode %}{{ who }}", "ada%40example.com"),
    ("{{ odd | urlencode }}", "a%2Fb%20%26%2540"),
    ("{{ {'a b': odd} | urlencode }}", "a+b=a%2Fb+%26%2540"),
])
def test_a_url_is_encoded_once(source, becomes):
    """The filter `urlencode` changes nothing of what is encoded by itself, and no value changes the address around."""
    template = compiled(text="x", list_unsubscribe="https://u/" + source)

    assert render(template, odd="a/b &%40").unsubscribe == "https://u/" + becomes


def test_a_url_of_nothing():
    """NULL and what is not there are errors with `urlencode`, too; elsewhere the filter is Jinja's."""
    template = compiled(text="{{ x | urlencode }}", list_unsubscribe="https://u/{{ gone | urlencode }}")

    assert render(compiled("{{ x | urlencode }}"), x="a/b c").subject == "a/b%20c"
    with pytest.raises(RenderError, match=r"list_unsubscribe: line 1: .*NULL"):
        render(template, x="", gone=None)
    with pytest.raises(RenderError, match="list_unsubscribe: line 1: reads 'gone'"):
        render(template, x="")
