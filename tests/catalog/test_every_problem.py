"""No mistake hides another: whatever can be looked at is, beside what cannot be read."""

import json

import pytest
from typer.testing import CliRunner

from outreach_stream.cli.catalog import app

GOOD = {
    "engines/e.yaml": "{kind: memory}",
    "templates/t.yaml": "{subject: Hi, text: Hi}",
    "workflows/w.yaml": "{template: t, engines: [e], from: a@example.com}",
}


def found(folder, **files):
    """Field and words of each problem of the only file that has any; `workflows_x=…` is workflows/x.yaml."""
    written = GOOD | {f"{name.replace('_', '/')}.yaml": text for name, text in files.items()}
    for name, text in written.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    told = json.loads(CliRunner().invoke(app, ["check", str(folder), "--json"]).stdout)["problems"]
    assert {each["file"] for each in told} <= {f"{name.replace('_', '/')}.yaml" for name in files}, told
    return [(each["field"], each["message"]) for each in told]


def fields(problems):
    return sorted(field for field, _ in problems)


def said(problems, field=""):
    return " / ".join(message for where, message in problems if where == field)


def test_rules_of_a_relay_beside_mistakes_of_its_fields(tmp_path):
    """Host or relays, both credentials or none, in clear: told though a rate is wrong, and all of them."""
    problems = found(tmp_path, engines_x="""
{kind: smtp, rate: -1, host: h.example, relays: [{host: a, port: 0}], username: u, tls: yes, security: none}""")

    assert fields(problems) == ["", "", "rate", "relays[0].port", "tls"]
    assert "host and port, or relays" in said(problems)
    assert "username and password go together" in said(problems)


def test_what_is_given_but_wrong_is_not_called_missing(tmp_path):
    """A password in plain text is a password, a host that is no text is a host."""
    problems = found(tmp_path, engines_x="{kind: smtp, host: 5, username: u, password: hunter2}")

    assert fields(problems) == ["host", "password"]


def test_rules_that_are_broken_at_once(tmp_path):
    """Where all fields are right, too, one rule does not hide the other."""
    problems = found(tmp_path, engines_x="{kind: smtp, username: u, security: none, relays: [{host: a.example}]}")

    assert "go together" in said(problems)
    assert "in clear" in said(problems)


def test_a_key_of_amazon_beside_a_region_that_is_none(tmp_path):
    """The region says what one looks like; half a key is told all the same."""
    problems = found(tmp_path, engines_x="{kind: ses, region: Frankfurt, access_key_id: AKIA}")

    assert "write for example eu-central-1" in said(problems, "region")
    assert "give both, or neither" in said(problems, "secret_access_key")


def test_a_schedule(tmp_path):
    """Both rules and an unknown workflow are told beside a cron expression and a window that are wrong."""
    problems = found(tmp_path, schedules_s="""
{workflow: nobody, cron: 99 9 * * *, at: 2026-12-01T09:00:00, max_lateness: 0s, quiet: [{from: 8, to: '09:00'}]}""")

    assert fields(problems) == ["", "", "cron", "quiet[0].from", "workflow"]
    assert 'Bad minute: write for example "0 9 * * MON-FRI"' in said(problems, "cron")
    assert "exactly one of cron and at" in said(problems)
    assert "more than 0s" in said(problems)
    assert said(problems, "workflow").startswith("there is no workflow 'nobody': write one of w, or add")


def test_a_workflow(tmp_path):
    """A doubled tag hides neither an unknown engine or template nor a header that cannot be compiled, nor a rule."""
    problems = found(tmp_path, workflows_x="""
template: gone
engines: [e, nowhere, e, [x]]
from: a@example.com
tags: [a, a]
deadline: 30d
suppression: {query: SELECT 1}
list_unsubscribe: "https://x.example/{{ email + }}"
headers: {X-A: "{% if %}", X-B: 5}
""")

    assert fields(problems) == ["", "", "engines[1]", "engines[3]", "headers.X-A", "list_unsubscribe", "tags",
                                "template"]
    assert "at most 14d" in said(problems)
    assert "suppression.file" in said(problems)


def test_a_header_beside_a_template_that_cannot_be_read(tmp_path):
    """A workflow's own sources are compiled whether or not its template is right."""
    problems = found(tmp_path, templates_t="{subject: '', text: Hi}", workflows_w="""
{template: t, engines: [e], from: a@example.com, headers: {X-A: '{{'}}""")

    assert fields(problems) == ["headers.X-A", "subject"]


@pytest.mark.parametrize("body", ["html: body.html", "html: '{% if %}'"])
def test_a_template(tmp_path, body):
    """Images that are wrong hide no mistake in the bodies, be they beside the template or in it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/body.html").write_text("{% if %}")
    problems = found(tmp_path, templates_x=f"{{subject: '{{{{ name', {body}, images: {{logo: gone.png}}, odd: 1}}")

    assert fields(problems) == ["html", "images.logo", "odd", "subject"]
    assert said(problems, "html").startswith("line 1: ")


def test_images_that_are_not_shown_beside_a_subject_that_is_missing(tmp_path):
    """What html and images say of each other does not wait for the other fields."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/logo.png").write_bytes(b"PNG")
    problems = found(tmp_path, templates_x="{html: <p>, images: {logo: logo.png}}")

    assert fields(problems) == ["images", "subject"]
    assert "logo is not shown" in said(problems, "images")


def test_nothing_to_choose_from(tmp_path):
    """Where there is none of a kind, none is proposed."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows/w.yaml").write_text(GOOD["workflows/w.yaml"])
    told = json.loads(CliRunner().invoke(app, ["check", str(tmp_path), "--json"]).stdout)["problems"]

    assert [each["message"] for each in told] == ["there is no engine 'e': add engines/e.yaml",
                                                  "there is no template 't': add templates/t.yaml"]


@pytest.mark.parametrize(("engine", "field", "words"), [
    ("{kind: memory, rate: 0}", "rate", "must be more than 0: write for example 50"),
    ("{kind: memory, rate: 1000000}", "rate", "must be 100,000 or less"),
    ("{kind: memory, concurrency: 0}", "concurrency", "must be 1 or more"),
    ("{kind: mailgun, api_key: 'env:K', domain: mg.example.com, timeouts: {connect: 0s}}", "timeouts.connect",
     "must be more than 0"),
])
def test_numbers_out_of_bounds(tmp_path, engine, field, words):
    """The bound is told, in the words of all the others."""
    assert found(tmp_path, engines_x=engine) == [(field, words)]
