"""How a command ends: exit codes that scripts may rely on, and the error that carries one."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of all commands; 128 + n is, as everywhere, a signal."""

    OK = 0
    FAILED = 1
    """Done, and the answer is bad: the run failed, a worker died, the sets differ."""
    USAGE = 2
    """The command line, a setting or a file of the catalog is wrong: nothing was begun."""
    BROKER_AWAY = 3
    """No Kafka: it does not answer, or none can be started."""


class CommandError(Exception):
    """Ends the command with `code` and the message, which says what to do next."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code
