"""What SendGrid says that the body of mail/send must be, transcribed from its documentation.

The schema: https://github.com/twilio/sendgrid-oai/blob/main/spec/json/tsg_mail_v3.json (January 2026).
The limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations and .../mail-send/errors.
"""

import base64
import json

from jsonschema import Draft202012Validator, FormatChecker

_MAILBOX = {
    "type": "object", "required": ["email"], "additionalProperties": False,
    "properties": {"email": {"type": "string", "format": "email", "maxLength": 320}, "name": {"type": "string"}},
}
_HEADERS = {
    "type": "object",
    "propertyNames": {
        "pattern": r"^[!-9;-~]+$",  # "cannot contain non-ASCII characters or empty spaces"
        "not": {"pattern": r"^(?i:x-sg-id|x-sg-eid|received|dkim-signature|Content-Type|Content-Transfer-Encoding|To|"
                           r"From|Subject|Reply-To|CC|BCC)$"},
    },
    "additionalProperties": {"type": "string", "pattern": r"^[\t -~]*$"},  # "properly encoded if they contain unicode"
}
_BODY = {
    "type": "object", "required": ["personalizations", "from", "subject", "content"], "additionalProperties": False,
    "properties": {
        "personalizations": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {
            "type": "object", "required": ["to"], "additionalProperties": False,
            "properties": {"to": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _MAILBOX}},
        }},
        "from": _MAILBOX,
        "reply_to": _MAILBOX,
        "subject": {"type": "string", "minLength": 1},
        "content": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["type", "value"], "additionalProperties": False,
            "properties": {"type": {"type": "string", "minLength": 1, "pattern": r"^[^;,\r\n]+$"},
                           "value": {"type": "string", "minLength": 1}},
        }},
        "attachments": {"type": "array", "items": {
            "type": "object", "required": ["content", "filename"], "additionalProperties": False,
            "properties": {
                "content": {"type": "string", "minLength": 1},
                "type": {"type": "string", "minLength": 1, "pattern": r"^[^;,\r\n]+$"},
                "filename": {"type": "string", "pattern": r"^[^;,\r\n]+$"},
                "disposition": {"enum": ["inline", "attachment"]},
                "content_id": {"type": "string", "pattern": r"^[^;,\r\n]+$"},
            },
        }},
        "headers": _HEADERS,
        "categories": {"type": "array", "uniqueItems": True, "maxItems": 10,
                       "items": {"type": "string", "maxLength": 255}},
        "mail_settings": {"type": "object", "additionalProperties": False, "properties": {
            "sandbox_mode": {"type": "object", "required": ["enable"], "additionalProperties": False,
                             "properties": {"enable": {"type": "boolean"}}},
        }},
    },
}
_VALIDATOR = Draft202012Validator(_BODY, format_checker=FormatChecker())
_ORDER = {"text/plain": 0, "text/html": 1}


def checked(body: bytes) -> dict:
    """The body, if SendGrid would take it."""
    assert len(body) < 30 * 1024 * 1024, "30 MB"
    found = json.loads(body.decode(), object_pairs_hook=_unique)
    _VALIDATOR.validate(found)
    names = [to.get("name", "") for one in found["personalizations"] for to in one["to"]]
    assert not any(character in name for name in names for character in ";,"), "cannot include ; or ,"
    kinds = [part["type"] for part in found["content"]]
    assert kinds == sorted(kinds, key=_ORDER.__getitem__), "text/plain needs to be first"
    for attachment in found.get("attachments", ()):
        base64.b64decode(attachment["content"], validate=True)
    return found


def _unique(pairs: list) -> dict:
    names = [name.lower() for name, _ in pairs]
    assert len(set(names)) == len(names), "cannot contain duplicate keys"
    return dict(pairs)
