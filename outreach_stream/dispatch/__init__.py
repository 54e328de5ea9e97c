"""The decisions behind plan and expand: who gets a run's mail, and in what order the runs of an engine are served.

In flow order: `planning` turns a query into chunks (`chunking`) and a plan; `plans` says which plan of a run counts;
`schedule` takes turns between the runs of an engine, `pacing` says how far ahead its lanes are kept, `requests` makes
one request per recipient, and `expander` does all that slice by slice. `express` is the short way of small runs.
The world comes in through `ports`.
"""
