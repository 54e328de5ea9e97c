"""What other services may rely on: the schemas of the public events, and the AsyncAPI document of their topics.

`python -m outreach_stream.contracts` writes them to `docs/events/`, from the models; a test says when they are stale.
"""
