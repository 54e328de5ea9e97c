"""The decisions behind plan and expand: who gets a run's mail, and in what order the runs of an engine are served.

In flow order: `planning` turns a query into chunks (`chunking`), each due at one moment (`cutting`), and a plan, with
a word on its deadline (`forecast`), unless the run is cancelled meanwhile (`cancelling`); `plans` says which plan of a
run counts; `schedule` takes turns between the runs of an engine, `course` says how a run goes on by what is ordered,
`pacing` how far ahead the engine's lanes are kept, `requests` makes one request per recipient, and `expander` does all
that slice by slice. `express` is the short way of small runs. The world comes in through `ports`.
"""
