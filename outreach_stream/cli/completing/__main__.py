"""`python -m outreach_stream.cli.completing` writes `commands.json` anew."""

from outreach_stream.cli.completing import TABLE
from outreach_stream.cli.completing.written import written

if __name__ == "__main__":
    TABLE.write_text(written(), encoding="utf-8")
