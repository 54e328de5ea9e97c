"""One contract for all catalogs: the same objects, the same problems, the same reaction to changes."""

import pytest

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.catalog.spec import freeze
from tests.contract.catalog_worlds import GOOD, WORLDS, World, problems

FILES = ("folder", "rest")
"""Those that hold what was written; memory holds objects, which are right in themselves."""


@pytest.fixture(params=WORLDS)
def any_world(request, tmp_path):
    """Every kind of catalog."""
    yield from open_world(request.param, tmp_path)


@pytest.fixture(params=FILES)
def world(request, tmp_path):
    """A catalog that is written by people."""
    yield from open_world(request.param, tmp_path)


def open_world(name, tmp_path):
    world = WORLDS[name](tmp_path / "the catalog")
    world.folder.mkdir()
    world.write(GOOD)
    yield world
    world.close()


def test_the_same_objects(any_world: World) -> None:
    """Wherever the catalog is, its objects are those of the folder: equal, and frozen to the same digest."""
    found, expected = any_world.catalog.current(), FolderCatalog(any_world.folder).load()

    assert found == expected
    assert freeze(found, 7, 8).digest == freeze(expected, 7, 8).digest
    assert len(found.workflows) == len(found.engines) == len(found.schedules) == 2
    assert found.workflow(7).recipients.database.startswith("sqlite:////")


def test_what_lies_beside_a_template(world: World) -> None:
    """Bodies, attachments and images are in the template, with the names and types that they have."""
    world.write({
        "templates/hello.yaml": "{subject: Hello, html: hello.html, text: none, "
                                "attachments: [terms.pdf, {file: a/b.bin, name: c.bin}], images: {logo: logo.png}}",
        "templates/hello.html": "<img src='cid:logo'> Grüße", "templates/terms.pdf": b"%PDF\xff\x00",
        "templates/a/b.bin": bytes(range(256)), "templates/logo.png": b"\x89PNG"})
    template = world.catalog.current().templates["hello"]

    assert template == FolderCatalog(world.folder).load().templates["hello"]
    assert [(file.name, file.type) for file in template.attachments] == [
        ("terms.pdf", "application/pdf"), ("c.bin", "application/octet-stream")]
    assert template.attachments[1].content == bytes(range(256))


def test_a_suppression_file_is_where_the_folder_has_it(world: World) -> None:
    """Its path is absolute; one that is not there is said."""
    world.write({"workflows/inline.yaml": "{template: hello, engines: [relay], from: a@shop.example.com, "
                                          "suppression: {file: gone.txt}}"})
    assert "does not exist" in problems(world)["workflow/inline", "suppression.file"]

    world.write({"gone.txt": "x@example.com", "workflows/again.yaml": "{id: 8, template: hello, engines: [relay], "
                 "from: a@shop.example.com, suppression: {file: gone.txt}}", "workflows/inline.yaml": ""})
    assert world.catalog.load().workflow(8).suppression.file == str(world.folder / "gone.txt")


def test_references_that_lead_nowhere(any_world: World) -> None:
    """Every one of them is told, and the catalog is not used."""
    any_world.write({"engines/rehearsal.yaml": "", "templates/hello.yaml": "", "templates/other.yaml":
                     "{subject: Hello, text: Hello}", "schedules/daily.yaml": "{workflow: nobody, cron: '0 9 * * *'}"})
    found = problems(any_world)

    assert set(found) == {("workflow/7", "template"), ("workflow/7", "engines[1]"), ("workflow/inline", "template"),
                          ("schedule/daily", "workflow")}
    assert "there is no template 'hello': write one of other" in found["workflow/7", "template"]
    with pytest.raises(CatalogErrors):
        any_world.catalog.current()


def test_all_problems_at_once(world: World) -> None:
    """In words that say what to write, whether a reader or the server finds them; a secret is not repeated."""
    world.write({
        "workflows/inline.yaml": "{template: hello, engines: [relay], from: hello, deadline: 24, querry: x}",
        "workflows/7.yaml": "template: [",
        "templates/empty.yaml": "subject: Hi", "templates/gone.yaml": "{subject: Hi, html: gone.html}",
        "engines/relay.yaml": "{kind: smtp, host: h, username: u, password: hunter2, rate: 0}",
        "engines/pigeon.yaml": "{kind: pigeon}", "engines/again.yaml": "{id: rehearsal, kind: memory}",
        "schedules/daily.yaml": "{workflow: 7, cron: never, quiet: [{from: 22:00, to: '07:00'}]}"})
    found = problems(world)

    assert {field for field in found if not field[0].startswith("engine")} == {
        ("workflow/inline", "from.email"), ("workflow/inline", "deadline"), ("workflow/inline", "querry"),
        ("workflow/7", ""), ("template/empty", ""), ("template/gone", "html"),
        ("schedule/daily", "cron"), ("schedule/daily", "quiet[0].from")}
    assert {field for file, field in found if file.startswith("engine")} == {"password", "rate", "kind", "id"}
    assert "there is no file gone.html" in found["template/gone", "html"]
    assert found["workflow/7", ""].startswith("line ")
    assert "hunter2" not in str(found)


def test_a_change_is_used(any_world: World) -> None:
    """What is added, changed and removed is seen; what was handed out before stays as it was."""
    before = any_world.catalog.current()
    any_world.write({"templates/hello.yaml": "{subject: Good day, text: Hi}", "engines/third.yaml": "kind: memory",
                     "schedules/once.yaml": ""})
    any_world.look()
    after = any_world.catalog.current()

    assert after.templates["hello"].subject == "Good day"
    assert set(after.engines) == {"relay", "rehearsal", "third"}
    assert set(after.schedules) == {"daily"}
    assert before.templates["hello"].subject == "Hello"


def test_nothing_changed_is_the_same_snapshot(any_world: World) -> None:
    """So that what was derived from it is kept, too."""
    first = any_world.catalog.current()
    any_world.look()

    assert any_world.catalog.current() is first


def test_a_broken_change_is_not_used(world: World) -> None:
    """The last good catalog stays in use until the change is mended; whoever asks for the state is told."""
    first = world.catalog.current()
    world.write({"engines/relay.yaml": "{kind: smtp, host: h, rate: -1}"})
    world.look()
    assert world.catalog.current() is first
    assert ("engine/relay", "rate") in problems(world)

    world.write({"engines/relay.yaml": "{kind: smtp, host: h, rate: 17}"})
    world.look()
    assert world.catalog.current().engine("relay").rate == 17


def test_a_broken_catalog_is_not_begun_with(world: World) -> None:
    """There is nothing to go on with, so the mistakes are raised; once mended, it is used."""
    world.write({"engines/relay.yaml": "{kind: smtp}"})
    with pytest.raises(CatalogErrors, match="host"):
        world.catalog.current()

    world.write({"engines/relay.yaml": GOOD["engines/relay.yaml"]})
    assert world.catalog.current().engine("relay").rate == 5
