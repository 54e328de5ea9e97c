"""Run as a script: asks the kernel to kill this process when its parent dies, then becomes the given command.

A broker must not outlive whoever started it, even one that was killed with -9 and could clean up nothing.
Done here, between fork and exec, because Python code between the two in a process with threads may deadlock.
Only Linux has the request; elsewhere the command runs without it.

    python leash.py PARENT_PID COMMAND [ARGUMENT]...
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns: execs, or exits at once if the parent is gone already."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - becoming the command is what this file is for


if __name__ == "__main__":
    main()
