"""What a peer sends, as an event loop hands it to a protocol that reads into room of its own."""

from asyncio import BufferedProtocol


def receive(protocol: BufferedProtocol, data: bytes) -> None:
    """All of `data`, in as many reads as it takes."""
    while data:
        room = memoryview(protocol.get_buffer(-1))
        part, data = data[:len(room)], data[len(room):]
        room[:len(part)] = part
        protocol.buffer_updated(len(part))
