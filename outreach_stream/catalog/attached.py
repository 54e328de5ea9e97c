"""Files that travel with a mail: what may, and how a catalog names them."""

import re
from base64 import b64decode, b64encode
from binascii import Error
from mimetypes import MimeTypes
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo, model_validator

from outreach_stream.catalog.beside import Beside
from outreach_stream.values import Strict, check_line

LARGEST_FILES = 2 * 1024 * 1024
"""Bytes of all files of a template. They travel with the frozen workflow through Kafka, lie in the memory of every
sender, and go out with each single mail: what is larger is better a link."""

_LONGEST_NAME = 150
_ODD = re.compile(r'[/\\<>:"|?*]')
"""Signs of which no name can have one on Windows."""

REFUSED = frozenset("""
    ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso isp
    jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc
    wsf wsh xll""".split())  # noqa: SIM905 - one long list of short words
"""Endings of files that Gmail bounces (https://support.google.com/mail/answer/6590), and with them the mail."""

_TYPES = MimeTypes()  # Python's own table: the system's would freeze one workflow differently on two machines.
for _ending, _type in {
    ".ics": "text/calendar", ".vcf": "text/vcard", ".pkpass": "application/vnd.apple.pkpass",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}.items():
    _TYPES.add_type(_type, _ending)


def type_of(name: str) -> str:
    """The media type that a name's ending stands for; `application/octet-stream` for one that nobody knows."""
    found, packed = _TYPES.guess_type(name)
    if packed or found is None or found.startswith(("message/", "multipart/")):  # these two may not be in base64
        return "application/gzip" if packed == "gzip" else "application/octet-stream"
    return found


def check_name(name: str) -> str:
    """A name under which a reader can save a file, and that no large provider turns away."""
    if not 0 < len(check_line(name)) <= _LONGEST_NAME or name != name.strip() or _ODD.search(name):
        raise ValueError(f"must be a file's name: 1 to {_LONGEST_NAME} characters without / \\ < > : \" | ? *")
    ending = name.rstrip(" .").lower().rpartition(".")[2]
    if ending in REFUSED:
        raise ValueError(f"must not end in .{ending}: providers turn such files away, and the mail with them")
    return name


def _check_type(media_type: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", media_type):
        raise ValueError('must be a media type in small letters: write for example "application/pdf"')
    if media_type.startswith(("message/", "multipart/")):
        raise ValueError("must be the type of one file: write application/octet-stream")
    return media_type


def _decoded(content: object) -> object:
    if not isinstance(content, str):
        return content
    try:
        return b64decode(content, validate=True)
    except Error as error:
        raise ValueError("must be base64") from error


_BASE64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]


class Attachment(Strict):
    """A file and what readers see of it. A template's file gives its name, `terms.pdf`, or `{file: terms.pdf, …}`."""

    name: Annotated[str, AfterValidator(check_name)]
    """As what readers save it; in a template's file: the file's own, unless told."""
    type: Annotated[str, AfterValidator(_check_type)]
    """Media type; in a template's file: by the name, unless told."""
    content: Annotated[bytes, BeforeValidator(_decoded, json_schema_input_type=_BASE64), PlainSerializer(
        lambda content: b64encode(content).decode(), when_used="json")] = Field(repr=False)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        """Reads the file that a template's file names; what a frozen workflow holds is whole already."""
        if not isinstance(info.context, Beside) or isinstance(value, cls):
            return value
        given = {"file": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else value
        if not isinstance(given, dict) or not isinstance(given.get("file"), str) or "content" in given:
            raise ValueError("must name a file beside the template: write {file: terms.pdf}")
        file = given.pop("file")
        name = given.setdefault("name", PurePath(file).name)
        given.setdefault("type", type_of(str(name)))
        return given | {"content": info.context.content(file, LARGEST_FILES)}
