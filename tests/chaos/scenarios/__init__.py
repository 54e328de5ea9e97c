"""The table: importing this registers all scenarios, in the order in which they are played."""

from . import kills, freezes, brokers, replicas, scaling, planning, storage, endings, engines, doors  # noqa: F401, I001 - in this order
