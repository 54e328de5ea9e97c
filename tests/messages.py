"""Outgoing messages for tests that care for the wire and not for the words."""

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage

PLAIN = b"Subject: x\r\n\r\nHello\r\n"


def raw(message_id: str, sender: str, recipient: str, content: bytes = PLAIN, **mail) -> OutgoingMessage:
    """A message of these bytes, whatever the other side can take; its structured half is short, unless told."""
    told = {"sender": Mailbox(sender), "to": Mailbox(recipient), "subject": "x", "text": "Hello\n"} | mail
    return OutgoingMessage(message_id, sender, recipient, Mail(**told), lambda **_: content)
