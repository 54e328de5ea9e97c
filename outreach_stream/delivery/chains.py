"""Mail after mail over one connection, whether it can have the next one begun before the last one has ended or not."""

from outreach_stream.domain.outcomes import Transient
from outreach_stream.domain.ports import Chain, Connection


async def hand_over_all(connection: Connection, chain: Chain) -> None:
    """Hand over what `chain` gives, until it gives nothing or the connection can take no more. Raises what it raises.

    When it raises, or is cancelled, the mails that were begun last have not `ended`.
    """
    if (at_once := getattr(connection, "hand_over_all", None)) is not None:
        await at_once(chain)
        return
    while connection.reusable and (message := chain.next()) is not None:
        chain.ended(await connection.hand_over(message) if chain.go() else Transient("kept"))
