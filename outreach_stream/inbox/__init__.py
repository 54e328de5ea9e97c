"""A mail server for demos, tests and measurements: it receives over real SMTP, and delivers to nobody."""

from outreach_stream.inbox.limit import Limit
from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.record import InboxRecord, ReceivedMail
from outreach_stream.inbox.rules import Behaviour, Rule
from outreach_stream.inbox.server import Inbox

__all__ = ["Behaviour", "Inbox", "InboxRecord", "Limit", "Mode", "ReceivedMail", "Rule"]
