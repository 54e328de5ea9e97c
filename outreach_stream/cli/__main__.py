"""`python -m outreach_stream.cli` is `outreach`: the supervisor starts its workers so, wherever the script lies."""

from outreach_stream.cli import main

if __name__ == "__main__":
    main()
