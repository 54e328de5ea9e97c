"""Streaming overrides what Faust and aiokafka keep to themselves: a change there must not go unnoticed.

A changed hash names the function to read again. When what is overridden still holds, pin the new hash and version.
"""

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import aiokafka.consumer.group_coordinator as coordinator
import aiokafka.producer.message_accumulator as accumulator
import faust.streams
import faust.transport.drivers.aiokafka as driver
import mode.services
import pytest
from aiokafka.consumer import fetcher
from aiokafka.producer import sender
from faust.agents.agent import Agent
from faust.app import base
from faust.stores import rocksdb
from faust.tables import manager, recovery
from faust.tables.base import Collection
from faust.topics import Topic
from faust.transport import consumer

PINNED: dict[Callable[..., Any], str] = {
    # Overridden, or called by what is overridden.
    base.App._new_producer_transport: "79fd0a37e5",
    base.App._new_transport: "b525d59e79",
    base.App._on_agent_error: "55f0a79973",
    base.App._on_partitions_revoked: "f4d11cf6b7",
    base.App._stop_consumer: "5da5ae5b40",
    base.App.on_first_start: "992ae79cfb",
    base.App.on_rebalance_start: "daf3850e57",
    base.App.on_stop: "e47e2f6fcd",
    consumer.Consumer._add_gap: "76804c9569",
    consumer.Consumer._commit_offsets: "a8f9cc07ee",
    consumer.Consumer._drain_messages: "886db62001",
    consumer.Consumer._filter_tps_with_pending_acks: "8692f6879c",
    consumer.Consumer._new_offset: "c1d12f6272",
    consumer.Consumer._should_commit: "ee926873c7",
    consumer.Consumer._wait_next_records: "cbb47dbf54",
    consumer.Consumer.force_commit: "54721ebb31",
    consumer.Consumer.getmany: "ebaa50fe8f",
    consumer.Consumer.on_buffer_drop: "6239660ad8",
    consumer.Consumer.on_buffer_full: "5d93ce8ff8",
    consumer.Consumer.on_partitions_assigned: "c63b0508ff",
    consumer.Consumer.on_partitions_revoked: "bb156202e0",
    consumer.Consumer.on_stop: "8a8cfa0767",
    consumer.Consumer.perform_seek: "4388986b5f",
    consumer.Consumer.wait_empty: "8a24e34475",
    driver.Consumer._new_consumer_thread: "af63dcd583",
    driver.AIOKafkaConsumerThread._commit: "03ceec7e8a",
    driver.AIOKafkaConsumerThread._create_worker_consumer: "8ecadc7fec",
    driver.AIOKafkaConsumerThread._fetch_records: "1b4de003ce",
    driver.AIOKafkaConsumerThread._seek_wait: "4a01007d71",
    driver.AIOKafkaConsumerThread.on_start: "5da556622d",
    driver.AIOKafkaConsumerThread.on_thread_stop: "b8355fd174",
    driver.Producer._settings_extra: "ee37f61651",
    driver.Producer.flush: "f5258cc41c",
    driver.Producer.on_start: "436b8b9a70",
    driver.Producer.on_stop: "70a81ea57a",
    recovery.Recovery._wait: "c7a03c8ae4",
    manager.TableManager.on_start: "7b74bcfc24",
    mode.services.Service.stop: "745a04ab69",
    # Relied on: what becomes of an agent's error, how a topic is created, the order of a recovery, who opens a table's
    # store, that an idempotent batch never expires, and that a paused partition is passed over.
    Agent._execute_actor: "06273d92b9",
    Topic.declare: "b7eb371303",
    recovery.Recovery._restart_recovery.fun: "e7dbfde44f",
    recovery.Recovery._resume_streams: "702472d1e7",
    recovery.Recovery._build_highwaters: "4cf8a400b4",
    recovery.Recovery.on_recovery_completed: "4673f751d8",
    Collection._new_changelog_topic: "253fa91e9a",
    rocksdb.Store.assign_partitions: "383b58c058",
    rocksdb.Store.revoke_partitions: "4b77c25809",
    rocksdb.Store.set_persisted_offset: "f80e54a7c3",
    fetcher.FetchResult.calculate_backoff: "d7a0491301",
    fetcher.Fetcher._get_actions_per_node: "fefb4e8b97",
    fetcher.Fetcher._proc_fetch_request: "b94142188c",
    fetcher.Fetcher.fetched_records: "484d07c52b",
    fetcher.Fetcher.seek_to: "a1f5b31cb2",
    coordinator.GroupCoordinator._do_heartbeat: "735cc52860",
    coordinator.GroupCoordinator._send_req: "903a097f0f",
    coordinator.GroupCoordinator.ensure_active_group: "200c71c5f6",
    accumulator.MessageAccumulator.add_batch: "15cc2f0f1f",
    accumulator.BatchBuilder.append: "1c7a7b56f8",
    sender.SendProduceReqHandler._can_retry: "6927647cca",
}


def digest(function: Callable[..., Any]) -> str:
    return hashlib.sha1(inspect.getsource(function).encode(), usedforsecurity=False).hexdigest()[:10]


@pytest.mark.parametrize("function", PINNED, ids=lambda function: f"{function.__module__}.{function.__qualname__}")
def test_what_we_rely_on_is_the_code_that_was_read(function: Callable[..., Any]) -> None:
    """A library function that streaming overrides or relies on has not changed."""
    expected = PINNED[function]

    assert expected == digest(function)


def test_the_libraries_are_the_versions_that_were_read() -> None:
    """Both libraries are pinned exactly."""
    actual = (version("faust-streaming"), version("aiokafka"))

    assert actual == ("0.15.3", "0.14.0")


def test_the_compiled_stream_is_there() -> None:
    """Faust's stream in Python acknowledges events of an old generation; the compiled one skips them."""
    assert faust.streams._CStreamIterator is not None
