"""What makes Faust safe: batches finished in any order, committed in order, under a lease.

Read it in this order: `lease`, `batch`, `ledger` (values, no Kafka), then `consumer`, `thread`, `rest`, `producer`
(what is overridden in Faust, function by function, and why), `app` (all of it behind one class). Around it: `produce`,
`tables`, `views`, `reader`, `dead_letters` (how records are written, kept and read), `worker` and `instance` (a
process's life).
"""
