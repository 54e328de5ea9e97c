"""Mail after mail over one connection, whether it can have the next one begun before the last one has ended or not."""

from typing import cast

from outreach_stream.domain.outcomes import Transient
from outreach_stream.domain.ports import Chain, ChainingConnection, Connection


async def hand_over_all(connection: Connection, chain: Chain) -> None:
    """Hand over what `chain` gives, until it gives nothing or the connection can take no more. Raises what it raises.

    When it raises, or is cancelled, the mails that were begun last have not `ended`.
    """
    if hasattr(connection, "hand_over_all"):
        await cast("ChainingConnection", connection).hand_over_all(chain)
        return
    while connection.reusable and (message := chain.next()) is not None:
        chain.ended(await connection.hand_over(message) if chain.go() else Transient("withheld"))
