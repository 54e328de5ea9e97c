"""Files of templates, and what a workflow may write into the head of its mails."""

import pytest
from pydantic import ValidationError

from outreach_stream.broker.layout import topic_config
from outreach_stream.catalog.attached import LARGEST_FILES, type_of
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.models import Workflow
from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.catalog.spec import LARGEST_SPEC, WorkflowSpec, freeze
from outreach_stream.domain.message import Mailbox
from outreach_stream.rendering.mime import skeleton_of
from outreach_stream.rendering.templates import Rendered
from outreach_stream.topics import WORKFLOW_SPEC

PNG = b"\x89PNG\r\n"


@pytest.fixture
def folder(tmp_path):
    """A catalog without its template."""
    for name, text in {"engines/e.yaml": "{kind: smtp, host: h}", "templates/logo.png": "",
                       "workflows/w.yaml": "{template: t, engines: [e], from: a@example.com}"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "templates/logo.png").write_bytes(PNG)
    (tmp_path / "templates/Überblick.pdf").write_bytes(b"%PDF")
    (tmp_path / "templates/setup.exe").write_bytes(b"MZ")
    return tmp_path


def problems_of(folder, template):
    (folder / "templates/t.yaml").write_text("subject: Hi\n" + template)
    with pytest.raises(CatalogErrors) as errors:
        FolderCatalog(folder).load()
    assert {problem.file for problem in errors.value.problems} == {"templates/t.yaml"}
    return {problem.field: problem.message for problem in errors.value.problems}


def test_files_are_read_and_frozen(folder):
    """A file's name and type are its own unless told; a spec that went through Kafka makes the same files."""
    (folder / "templates/t.yaml").write_text("""
subject: Hi
html: <img src="cid:logo"><td background='cid:back'>
images: {logo: logo.png, back: {file: logo.png, type: image/x-icon}}
attachments: [Überblick.pdf, {file: Überblick.pdf, name: Terms}]
""")
    spec = freeze(FolderCatalog(folder).load(), "w", 8)
    again = WorkflowSpec.read(spec.encoded)
    mail = skeleton_of(again).mail(Mailbox("a@example.com"), Rendered("s", "t", "h"))

    assert (again, again.digest) == (spec, spec.digest)
    assert [(it.name, it.media_type, it.content, it.content_id) for it in mail.files] == [
        ("logo.png", "image/x-icon", PNG, "back"), ("logo.png", "image/png", PNG, "logo"),
        ("Überblick.pdf", "application/pdf", b"%PDF", None), ("Terms", "application/octet-stream", b"%PDF", None)]
    assert "content" not in repr(spec)


def test_a_workflow_is_frozen_once(folder):
    """Every trigger asks for the spec; it is encoded anew only when the catalog has changed."""
    (folder / "templates/t.yaml").write_text("{subject: Hi, text: Hi}")
    catalog = FolderCatalog(folder)

    first = freeze(catalog.load(), "w", 8)
    loaded = catalog.load()

    assert freeze(loaded, "w", 8) is freeze(loaded, "w", 8)
    assert freeze(loaded, "w", 8) is not first
    assert freeze(loaded, "w", 4).lanes != freeze(loaded, "w", 8).lanes


@pytest.mark.parametrize(("template", "field", "says"), [
    ("text: Hi\nattachments: [gone.pdf]", "attachments[0]", "there is no file gone.pdf"),
    ("text: Hi\nattachments: [../workflows/w.yaml, ../../x]", "attachments[1]", "outside the catalog"),
    ("text: Hi\nattachments: [setup.exe]", "attachments[0].name", "must not end in .exe"),
    ("text: Hi\nattachments: [{file: logo.png, name: 'a.js. '}]", "attachments[0].name", "must be a file's name"),
    ("text: Hi\nattachments: [{file: logo.png, name: a.JS}]", "attachments[0].name", "must not end in .js"),
    ("text: Hi\nattachments: [{file: logo.png, name: a/b}]", "attachments[0].name", "must be a file's name"),
    ("text: Hi\nattachments: [{file: logo.png, type: png}]", "attachments[0].type", "must be a media type"),
    ("text: Hi\nattachments: [{file: logo.png, type: message/rfc822}]", "attachments[0].type", "one file"),
    ("text: Hi\nattachments: [{file: logo.png, nmae: x}]", "attachments[0].nmae", "spelling"),
    ("text: Hi\nattachments: [{name: x}]", "attachments[0]", "must name a file"),
    ("text: Hi\nattachments: [7]", "attachments[0]", "must name a file"),
    ("text: Hi\nattachments: ['.']", "attachments[0]", "cannot be read"),
    ('text: Hi\nattachments: ["a\\0"]', "attachments[0]", "cannot be the name"),
    ("text: Hi\nimages: {logo: logo.png}", "images", "logo is not shown"),
    ("html: <img src='cid:banner'>\nimages: {}", "images", "shows cid:banner"),
    ("html: <img src='cid:banner'>", "images", "shows cid:banner"),
    ("html: <img src=cid:logo>\nimages: {logo: Überblick.pdf}", "images", "of the type application/pdf"),
    ("html: <img src='cid:a b'>\nimages: {a b: logo.png}", "images.a b", "must be a plain name"),
    ("text: none", "", "at least one body"),
])
def test_what_is_refused(folder, template, field, says):
    """Each mistake is named by its field, with what to write instead."""
    found = problems_of(folder, template)

    assert says in found.get(field, ""), found


def test_all_mistakes_at_once(folder):
    """No mistake of a template hides another."""
    found = problems_of(
        folder, "html: gone.html\ntext: gone.txt\nattachments: [gone.pdf, setup.exe]\nimages: {l: no.png}")

    assert set(found) == {"html", "text", "attachments[0]", "attachments[1].name", "images.l"}


def test_no_more_than_all_may_carry(folder):
    """The cap holds for one file and for all together, and the largest spec fits into its topic."""
    (folder / "templates/half.pdf").write_bytes(bytes(LARGEST_FILES // 2 + 1))
    (folder / "templates/big.pdf").write_bytes(bytes(LARGEST_FILES + 1))

    assert "larger than 2,097,152 bytes" in problems_of(folder, "text: Hi\nattachments: [big.pdf]")["attachments[0]"]
    assert "2,097,154 bytes" in problems_of(folder, "text: Hi\nattachments: [half.pdf, half.pdf]")[""]
    assert int(topic_config(WORKFLOW_SPEC)["max.message.bytes"]) > LARGEST_SPEC + 100_000


def test_a_computed_image_is_not_checked(folder):
    """Which image a template shows may depend on the recipient."""
    (folder / "templates/t.yaml").write_text('subject: Hi\nhtml: <img src="cid:{{ x }}">\nimages: {logo: logo.png}')

    assert FolderCatalog(folder).load().templates["t"].images.keys() == {"logo"}


@pytest.mark.parametrize(("name", "type_"), [
    ("a.PDF", "application/pdf"), ("a.ics", "text/calendar"), ("a.tar.gz", "application/gzip"),
    ("a.eml", "application/octet-stream"), ("a", "application/octet-stream"),
    ("a.odt", "application/vnd.oasis.opendocument.text"),
])
def test_types_by_name(name, type_):
    """The ending decides, by a table that is the same on every machine."""
    assert type_of(name) == type_


@pytest.mark.parametrize(("fields", "where", "says"), [
    ({"headers": {"From": "x"}}, "headers.From.[key]", "is set by the message"),
    ({"headers": {"list-unsubscribe-post": "x"}}, "headers.list-unsubscribe-post.[key]", "list_unsubscribe"),
    ({"headers": {"DKIM-Signature": "x"}}, "headers.DKIM-Signature.[key]", "by the provider"),
    ({"headers": {"Content-Type": "x"}}, "headers.Content-Type.[key]", "is set by"),
    ({"headers": {"X Y": "x"}}, "headers.X Y.[key]", "letters, digits and hyphens"),
    ({"headers": {"X-Ü": "x"}}, "headers.X-Ü.[key]", "letters, digits and hyphens"),
    ({"headers": {"X-A": "x", "x-a": "y"}}, "headers", "given twice"),
    ({"headers": {f"X-{i}": "x" for i in range(11)}}, "headers", "10 at most"),
    ({"feedback_id": "a:b:c:d:sender"}, "feedback_id", "up to four fields"),
    ({"feedback_id": "a:b:c:me"}, "feedback_id", "5 to 15 characters"),
    ({"feedback_id": "same1:same1"}, "feedback_id", "two fields"),
    ({"tags": ["a b"]}, "tags.0", "letters, digits"),
    ({"tags": ["a", "a"]}, "tags", "given twice"),
    ({"tags": [str(i) for i in range(11)]}, "tags", "at most 10"),
    ({"list_unsubscribe": "https://x.example/all"}, "list_unsubscribe", "who is to be unsubscribed"),
])
def test_what_no_head_may_hold(fields, where, says):
    """Names that belong to others, identifiers and tags that a provider refuses, a link that unsubscribes nobody."""
    with pytest.raises(ValidationError) as failure:
        Workflow.model_validate({"id": "w", "template": "t", "engines": ["e"], "from": "a@example.com"} | fields)

    told = {".".join(map(str, error["loc"])): error["msg"] for error in failure.value.errors()}
    assert says in told.get(where, ""), told


def test_what_a_head_may_hold():
    """Numbers are taken as they are written; the sender's field alone is a Feedback-ID."""
    workflow = Workflow.model_validate({
        "id": "w", "template": "t", "engines": ["e"], "from": "a@example.com", "headers": {"X-Priority": 1},
        "feedback_id": "hazel-co", "tags": ["spring", "vip_2"]})

    assert (workflow.headers, workflow.feedback_id, workflow.tags) == (
        {"X-Priority": "1"}, "hazel-co", ("spring", "vip_2"))
