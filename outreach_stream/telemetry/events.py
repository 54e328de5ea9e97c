"""Every event that our process logs may hold, with its meaning: a closed vocabulary, kept true by a test.

Their fields are ids, counts, times and reasons; `logs` masks addresses whoever may have put them there.
"""

EVENTS = {
    # A process's life.
    "worker_started": "A role works: app, pid.",
    "worker_stopping": "A signal asked the role to stop.",
    "worker_stopped": "The role has ended; `crashed` says why, if it did.",
    "process_crashed": "An error that nobody expected ended the process.",
    "process_started": "The supervisor started a program.",
    "process_died": "A program ended without being asked to; it is started again in `restart_in` seconds.",
    "process_killed": "A program did not end in its grace.",
    "gateway_started": "The HTTP API listens at `url`.",
    "gateway_stopped": "The HTTP API has ended.",
    # The broker.
    "broker_awaited": "The named broker does not answer yet; waiting.",
    "broker_started": "The embedded broker serves.",
    "broker_died": "The embedded broker ended by itself and is started again.",
    "broker_not_started": "The embedded broker could not be started again; tried once more soon.",
    "broker_killed": "The embedded broker did not stop in time.",
    "broker_seen": "The gateway reaches the broker.",
    "broker_lost": "The gateway does not reach the broker; triggers are answered with 503.",
    # Triggers and runs.
    "trigger_published": "A trigger is in Kafka for sure.",
    "trigger_not_acknowledged": "Kafka did not confirm a trigger in time; its caller was told so.",
    "record_buried": "A record that cannot be read went to `dead.letter`.",
    "catalog_reload_failed": "The changed catalog is wrong; the last good one stays in use.",
    "effects_not_written": "Kafka did not take what a batch causes; tried again.",
    "effects_failed": "An unexpected error in a batch's effects; tried again.",
    "progress_not_told": "A progress status could not be published; the next one will be.",
    "run_logged": "The JSON log of a run is written.",
    "log_not_written": "The JSON log could not be written; tried again in `retry_in` seconds.",
    # Planning and expanding.
    "run_planned": "A run's recipients are frozen.",
    "planning_put_off": "A run's database or spec cannot be read; planned again in `retry_in` seconds.",
    "planning_failed": "An unexpected error in planning; the run fails with its kind.",
    "plan_not_written": "Kafka did not take a plan; tried again.",
    "express_not_written": "Kafka did not take the requests of express runs; tried again.",
    "plans_not_noted": "Kafka did not take the note of a plan; tried again.",
    "plan_ignored": "A later plan of a run that has one.",
    "plan_gone": "A plan that was noted is not in its topic any more.",
    "plan_not_read": "A plan could not be read; tried again.",
    "runs_resumed": "Unfinished runs of a partition that is now ours are expanded on.",
    "run_expanded": "All requests of a run are in their lanes.",
    "expand_failed": "A slice could not be expanded; tried again.",
    "spec_not_in_view": "A frozen workflow has not been read yet; waiting.",
    # Sending.
    "compose_failed": "An unexpected error in rendering a mail; its recipient fails.",
    "acquire_failed": "An unexpected error in connecting to an engine.",
    "engine_unreachable": "An engine gives no connection; its recipients wait.",
    "hand_over_failed": "An unexpected error after a mail may have been handed over: in doubt.",
    "ends_not_written": "Kafka did not take results or marks; tried again.",
    "request_outside_of_engines_lanes": "An engine's lanes were changed with requests under way.",
    "engine_limits_changed": "The catalog has other limits for an engine; kept from now on.",
    # The streaming core.
    "before_release_failed": "A hook failed while partitions were leaving; what is finished is committed all the same.",
    "drain_gave_up": "Claimed work did not end in the drain's time.",
    "drain_commit_timed_out": "The last commit was not confirmed: records may be delivered again.",
    "drain_commit_cut_off": "The last commit was cut off: records may be delivered again.",
    # Reading compacted topics.
    "view_read_failed": "A compacted topic could not be read; tried again.",
    "view_end_unknown": "The end of a compacted topic could not be asked for; tried again.",
    "view_record_undecodable": "A record of a compacted topic was passed over.",
    "statuses_not_read": "`run.status` could not be read; tried again.",
}
