"""Which engine belongs to which kind of configuration."""

from outreach_stream.catalog.models import Engine as Config
from outreach_stream.catalog.models import SmtpEngine as SmtpConfig
from outreach_stream.domain.ports import Engine
from outreach_stream.engines.smtp import SmtpEngine


def build(config: Config) -> Engine:
    """The engine that `config` describes. One line for each kind; touches neither network nor files."""
    match config:
        case SmtpConfig():
            return SmtpEngine(config)
