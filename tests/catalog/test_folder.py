"""A catalog read from a folder."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.snapshot import CatalogErrors, UnknownWorkflow
from outreach_stream.catalog.spec import WorkflowSpec, WrongParameters, freeze
from outreach_stream.cli.catalog import app
from outreach_stream.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "catalog"


@pytest.fixture
def folder(tmp_path):
    """The example's catalog, free to be spoilt."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "catalog"))


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def problems_of(folder):
    with pytest.raises(CatalogErrors) as errors:
        FolderCatalog(folder).load()
    return {(problem.file, problem.field): problem.message for problem in errors.value.problems}


def test_the_example(folder):
    """Ids are text however they are written; bodies come from files; a SQLite path is relative to the catalog."""
    catalog = FolderCatalog(folder).load()
    workflow = catalog.workflow(1)

    assert workflow is catalog.workflow("1")
    assert workflow.id == "1"
    assert workflow.sender.email == "hello@hazel.example.com"
    assert workflow.deadline == 86_400
    assert workflow.recipients.database == f"sqlite:///{folder.resolve()}/people.db"
    assert catalog.templates["spring-offer"].html.startswith("<!DOCTYPE html>")
    assert catalog.engines["inbox"].effective_burst == 20


def test_unknown_workflow_names_those_there_are(folder):
    """A wrong id is answered with the right ones."""
    with pytest.raises(UnknownWorkflow, match="there are: 1"):
        FolderCatalog(folder).load().workflow("spring")


def test_all_problems_of_all_files_at_once(folder):
    """Each mistake is named with its file and field, and what to write instead; no file hides another's."""
    write(folder, "workflows/spring-offer.yaml", """
id: 1
template: no-such
engines: [inbox, relay, nowhere]
from: hello
deadline: 24
recipients: {database: "postgresql://me:hunter2@db/people", query: SELECT 1, querry: x}
""")
    write(folder, "workflows/good.yaml", "{template: no-such, engines: [broken, nowhere], from: a@example.com}")
    write(folder, "templates/spring-offer.yaml", "subject: Hi\nhtml: gone.html\n")
    write(folder, "templates/empty.yaml", "subject: Hi\n")
    write(folder, "engines/inbox.yaml", "kind: smtp\nhost: [\n")
    write(folder, "engines/broken.yaml", "{kind: smtp, host: h, username: u, password: hunter2}")

    found = problems_of(folder)

    assert "write for example" in found["workflows/spring-offer.yaml", "deadline"]
    assert "e-mail address" in found["workflows/spring-offer.yaml", "from.email"]
    assert 'write "env:NAME"' in found["workflows/spring-offer.yaml", "recipients.database"]
    assert "spelling" in found["workflows/spring-offer.yaml", "recipients.querry"]
    assert "there is no template 'no-such'" in found["workflows/good.yaml", "template"]
    assert "there is no engine 'nowhere'" in found["workflows/good.yaml", "engines[1]"]
    assert ("workflows/good.yaml", "engines[0]") not in found
    assert "gone.html" in found["templates/spring-offer.yaml", "html"]
    assert "at least one body" in found["templates/empty.yaml", ""]
    assert found["engines/inbox.yaml", ""].startswith("line ")
    assert "must not be a plain secret" in found["engines/broken.yaml", "password"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(("name", "text", "field", "says"), [
    ("engines/inbox.yaml", "{kind: pigeon, host: h}", "kind", "smtp"),
    ("engines/inbox.yaml", "kind: smtp\nhost: a\nhost: b\n", "", "'host' is given twice"),
    ("engines/inbox.yaml", "- kind: smtp\n", "", "must be a mapping"),
    ("engines/again.yaml", "{id: inbox, kind: smtp, host: h}", "id", "is the id of"),
    ("engines/inbox.yaml", "{kind: smtp, host: h.example, security: none, username: u, password: 'env:P'}", "",
     "in clear"),
    ("engines/inbox.yaml", "{kind: smtp, host: h, rate: 0}", "rate", "must be more than 0: write for example 50"),
    ("engines/inbox.yaml", "{kind: smtp, host: h, port: 70000}", "port", 'from 1 to 65535, or "env:NAME"'),
    ("engines/inbox.yaml", "{kind: smtp, host: h, port: smtp}", "port", 'from 1 to 65535, or "env:NAME"'),
    ("workflows/w.yaml", "{id: 9, template: spring-offer, engines: [inbox], from: a@example.com, deadline: 30d}", "",
     "at most 14d"),
    ("workflows/w.yaml", "{id: 9, template: spring-offer, engines: [inbox], from: a@example.com, retry: 5}", "retry",
     "must be a mapping"),
    ("workflows/w.yaml",
     "{id: 9, template: spring-offer, engines: [inbox], from: a@example.com, retry: {within: 1s, first: 30s}}", "retry",
     "a longer within"),
    ("workflows/w.yaml",
     "{id: 9, template: spring-offer, engines: [inbox], from: a@example.com, on_engine_stopped: failover}", "",
     "add another"),
    ("templates/spring-offer.yaml", "{subject: Hi, html: ../../../etc/passwd.txt}", "html", "outside the catalog"),
])
def test_what_is_refused(folder, name, text, field, says):
    """A file that could mean two things, or something unsafe, is refused."""
    write(folder, name, text)

    found = problems_of(folder)

    assert any(where[1] == field and says in message for where, message in found.items()), found


def test_a_broken_change_keeps_the_last_good_one(folder):
    """A changed file is read at the next look; a wrong change is reported and not used."""
    catalog = FolderCatalog(folder)
    first = catalog.current()
    assert catalog.current() is first

    write(folder, "templates/spring-offer.yaml", "subject: [")
    assert catalog.current() is first

    write(folder, "templates/spring-offer.yaml", "{subject: New, text: Hi}")
    os.utime(folder / "templates/spring-offer.yaml", ns=(1, 1))
    assert catalog.current().templates["spring-offer"].subject == "New"


def test_a_spec_is_addressed_by_its_content(folder):
    """The digest survives a round trip through JSON and newer fields, and changes with the content."""
    spec = freeze(FolderCatalog(folder).load(), 1, 8)
    data = json.loads(spec.model_dump_json())
    data["workflow"]["of_a_newer_version"] = data["newer"] = True

    assert WorkflowSpec.read(json.dumps(data)) == spec
    assert WorkflowSpec.read(spec.model_dump_json()).digest == spec.digest

    write(folder, "templates/spring-offer.txt", "Hi")
    assert freeze(FolderCatalog(folder).load(), 1, 8).digest != spec.digest


def test_parameters(folder):
    """Defaults are filled in; unknown ones are refused by name."""
    spec = freeze(FolderCatalog(folder).load(), 1, 8)

    assert spec.bind({"city": "Bath"}) == {"discount": 15, "city": "Bath"}
    with pytest.raises(WrongParameters, match="unknown parameters: town"):
        spec.bind({"town": "Bath"})


def test_memory_catalog_checks_references(folder):
    """The memory adapter refuses what the folder would refuse."""
    catalog = FolderCatalog(folder).load()
    whole = MemoryCatalog(workflows=catalog.workflows.values(), templates=catalog.templates.values(),
                          engines=catalog.engines.values())

    assert whole.load() == catalog
    with pytest.raises(CatalogErrors, match="there is no engine 'inbox'"):
        MemoryCatalog(workflows=catalog.workflows.values(), templates=catalog.templates.values()).load()


def test_check_says_what_is_right_and_wrong(folder):
    """`catalog check` compiles the templates too; its exit code tells a script."""
    good = CliRunner().invoke(app, ["check", str(folder), "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["workflows"][0]["columns"] == ["favourites", "loyalty_years", "unsubscribe_token"]
    assert CliRunner().invoke(app, ["check", str(folder)]).exit_code == 0

    write(folder, "templates/spring-offer.txt", "{% if %}")
    bad = CliRunner().invoke(app, ["check", str(folder), "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["problems"][0]["field"] == "text"


def test_check_warns_of_a_list_that_nobody_could_leave(folder, monkeypatch):
    """`unsubscribe` without its settings has each run refused; a body without a link displeases providers."""
    file = "workflows/spring-offer.yaml"
    write(folder, file, re.sub("(?m)^list_unsubscribe:.*", "unsubscribe: news", (folder / file).read_text("utf-8")))

    def warnings():
        checked = CliRunner().invoke(app, ["check", str(folder), "--json"])
        return json.loads(checked.stdout)["workflows"][0]["warnings"]

    refused, unseen = warnings()
    assert "runs will be refused" in refused
    assert "OUTREACH_UNSUBSCRIBE_KEY" in refused
    assert "{{ unsubscribe_url }}" in unseen
    assert "Warning: workflow 1: its runs" in CliRunner().invoke(app, ["check", str(folder)]).stdout

    write(folder, "templates/spring-offer.txt", "{{ unsubscribe_url }}")
    settings = Settings(public_url="https://mail.example.com", unsubscribe_key="env:KEY")
    monkeypatch.setattr("outreach_stream.cli.catalog.load_settings", lambda: settings)
    assert warnings() == []


def test_check_names_the_file_of_every_template_at_once(folder):
    """A template that cannot be compiled is found though no workflow uses it, and beside mistakes of other kinds."""
    write(folder, "templates/unused.yaml", "{subject: '{{ name', text: Hi}")
    write(folder, "templates/spring-offer.txt", "{% if %}")
    write(folder, "engines/inbox.yaml", "{kind: smtp, host: h, rate: 0}")

    bad = CliRunner().invoke(app, ["check", str(folder), "--json"])

    assert {(each["file"], each["field"]) for each in json.loads(bad.stdout)["problems"]} == {
        ("engines/inbox.yaml", "rate"), ("templates/spring-offer.yaml", "text"), ("templates/unused.yaml", "subject")}
