"""Writes `docs/events/`."""

from outreach_stream.contracts.files import FOLDER, files

for name, content in files().items():
    (FOLDER / name).write_text(content, encoding="utf-8")
