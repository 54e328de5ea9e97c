"""What the gateway reads for others: the results of runs, and what changes."""

from outreach_stream.gateway.engines.measured import MeasuredRates
from outreach_stream.gateway.runs.events import News
from outreach_stream.gateway.runs.outcomes_kept import KeptOutcomes
from outreach_stream.gateway.runs.results import Scans
from outreach_stream.gateway.runs.statuses import RunStatuses


class Reads:
    """All that is read beside the statuses, and what is made of those."""

    def __init__(self, bootstrap: str, statuses: RunStatuses) -> None:
        self.scans, self.rates, self.news = Scans(bootstrap), MeasuredRates(), News(statuses.word)
        self.outcomes = KeptOutcomes(self.scans)
        statuses.listeners += [self.rates.note, self.news.changed]
