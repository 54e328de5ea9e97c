"""Files of a template: as large as they may be, from the catalog through Kafka to the inbox."""

import random
from email import message_from_bytes
from email.policy import default

from outreach_stream.catalog.attached import LARGEST_FILES

TEMPLATE = """\
subject: "Hello {{ name }}"
html: '<p>Dear {{ name }}</p><img src="cid:logo">'
images: {logo: logo.png}
attachments: [{file: terms.pdf, name: Überblick „Köln“.pdf}]
"""


async def test_the_largest_files_arrive_complete(system):
    """Two mebibytes of attachment and image reach each recipient byte for byte, and the text is made from the html."""
    running = await system(keep=True)
    people = running.people(5)
    content = random.Random(5).randbytes(LARGEST_FILES)
    logo, terms = content[:1000], content[1000:]
    folder = running.content.folder / "templates"
    (folder / "hello.yaml").write_text(TEMPLATE)
    (folder / "logo.png").write_bytes(logo)
    (folder / "terms.pdf").write_bytes(terms)
    running.start()

    status = await running.completed(await running.trigger())
    mails = [message_from_bytes(file.read_bytes(), policy=default) for file in running.kept.iterdir()]

    assert status.counts.sent == len(people)
    assert {mail["To"].addresses[0].addr_spec for mail in mails} == people
    for mail in mails:
        [attached] = mail.iter_attachments()
        [image] = [part for part in mail.walk() if part["Content-ID"] == "<logo>"]
        assert attached.get_content() == terms
        assert attached.get_filename() == "Überblick „Köln“.pdf"
        assert image.get_content() == logo
        assert mail.get_body(("plain",)).get_content().startswith("Dear Person")
