"""What other events say of a run's chunks: who of them is to be mailed again, and which are due when."""

from pydantic import BaseModel, ConfigDict


class ReplayedChunk(BaseModel):
    """Recipients of one chunk of an earlier run."""

    model_config = ConfigDict(frozen=True)
    offset: int
    """Of the chunk, in the earlier run's partition of `run.chunk`."""
    chunk: int
    """Its number in that run."""
    indexes: str
    """Hexadecimal integer, bit i for the recipient at index i."""
    doubted: str = "0"
    """Those of them that may have been mailed, likewise."""


class DueChunks(BaseModel):
    """Chunks of a run that all become due at one moment."""

    model_config = ConfigDict(frozen=True)
    at: float
    """Not before it; 0: at once."""
    recipients: int
    chunks: list[int]
    """Their numbers, in the order in which they are expanded."""
