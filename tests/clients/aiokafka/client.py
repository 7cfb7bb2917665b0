"""The verbs of tests/lib/suite.py with aiokafka."""

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from lib.case import check, equal
from lib.verbs import Pending, dispatch, say, say_record, stdin_records, stop_event

BOOTSTRAP = os.environ["BOOTSTRAP"]
ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
}


async def produce(topic, partition, codec):
    producer = AIOKafkaProducer(
        bootstrap_servers=BOOTSTRAP,
        enable_idempotence=True,
        linger_ms=5,
        compression_type=None if codec == "none" else codec,
    )
    await producer.start()
    sent = [
        await producer.send(
            topic,
            value=value,
            key=key,
            headers=[header] if header else [],
            partition=partition if partition >= 0 else None,
        )
        for key, value, header in stdin_records()
    ]
    await asyncio.gather(*sent)
    await producer.stop()


async def consume(topic, partition, start, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False)
    await consumer.start()
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    if start == "beginning":
        await consumer.seek_to_beginning(place)
    elif start == "end":
        await consumer.seek_to_end(place)
    elif isinstance(start, int):
        consumer.seek(place, start)
    else:
        consumer.seek(place, (await consumer.offsets_for_times({place: start[1]}))[place].offset)
    at, end, read = await consumer.position(place), (await consumer.end_offsets([place]))[place], 0
    say("ready")
    while read < count if count >= 0 else at < end:
        for record in (await consumer.getmany(timeout_ms=500)).get(place, []):
            if read != count:
                say_record(record.offset, record.key, record.value, record.headers)
                at, read = record.offset + 1, read + 1
    await consumer.stop()


class Revoked(ConsumerRebalanceListener):
    def __init__(self, consumer, pending):
        self.consumer, self.pending = consumer, pending

    async def on_partitions_revoked(self, revoked):
        await commit(self.consumer, self.pending)
        self.pending.drop(p.partition for p in revoked)

    async def on_partitions_assigned(self, assigned):
        pass


async def commit(consumer, pending):
    """Commits what is pending, not the position: getmany may have been called again by then."""
    if pending.records:
        try:
            topic = next(iter(consumer.subscription()))
            await consumer.commit(
                {TopicPartition(topic, p): r[-1][0] + 1 for p, r in pending.records.items()}
            )
            pending.committed()
        except KafkaError:
            pass  # tried again after the next poll, or the partition goes to somebody else


async def member(topic, group, assignor):
    stop, pending = stop_event(), Pending()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10000,
        heartbeat_interval_ms=500,
        partition_assignment_strategy=[ASSIGNORS[assignor]],
    )
    consumer.subscribe([topic], listener=Revoked(consumer, pending))
    await consumer.start()
    while not stop.is_set():
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                pending.add(place.partition, record.offset, record.value)
        await commit(consumer, pending)
    await consumer.stop()


async def until(condition, what, seconds=15):
    for _ in range(seconds * 20):
        if await condition():
            return
        await asyncio.sleep(0.05)
    check(False, f"waited {seconds} s in vain: {what}")


async def admin_topics(admin, topic):
    made = await admin.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "3600000"})])
    equal(made.topic_errors[0][1], 0, "creation")
    again = await admin.create_topics([NewTopic(topic, 2, 1)])
    equal(again.topic_errors[0][1], 36, "creation of what exists")

    async def listed():
        return topic in await admin.list_topics()

    await until(listed, "the topic in the list")
    await admin.create_partitions({topic: NewPartitions(4)})

    async def grown():
        return len((await admin.describe_topics([topic]))[0]["partitions"]) == 4

    await until(grown, "four partitions")


async def admin_configs(admin, topic):
    resource = lambda **kw: ConfigResource(ConfigResourceType.TOPIC, topic, **kw)  # noqa: E731

    async def value():
        found = await admin.describe_configs([resource()])
        return next(c[1] for c in found[0].resources[0][4] if c[0] == "retention.ms")

    equal(await value(), "3600000", "retention.ms")
    await admin.alter_configs([resource(configs={"retention.ms": "7200000"})])

    async def altered():
        return await value() == "7200000"

    await until(altered, "the altered configuration")


async def admin_groups(admin, topic, group):
    place = TopicPartition(topic, 0)
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP)
    await producer.start()
    for _ in range(10):
        await producer.send_and_wait(topic, b"x", partition=0)
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: 4})
    await consumer.stop()
    offsets = await admin.list_consumer_group_offsets(group)
    equal(offsets[place].offset, 4, "committed")
    check(any(g[0] == group for g in await admin.list_consumer_groups()), "the group is not in the list")
    check("Empty" in repr(await admin.describe_consumer_groups([group])), "the group is not empty")
    equal(await admin.delete_records({place: RecordsToDelete(before_offset=3)}), {place: 3}, "low watermark")


async def admin_verb(topic, group):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    equal(len((await admin.describe_cluster())["brokers"]), 1, "brokers")
    await admin_topics(admin, topic)
    await admin_configs(admin, topic)
    await admin_groups(admin, topic, group)
    equal((await admin.delete_topics([topic])).topic_error_codes[0][1], 0, "deletion")

    async def gone():
        return topic not in await admin.list_topics()

    await until(gone, "the topic to go")
    equal((await admin.delete_topics([topic])).topic_error_codes[0][1], 3, "deletion of what is gone")
    await admin.close()


def now(verb):
    return lambda *args: asyncio.run(verb(*args))


if __name__ == "__main__":
    dispatch(now(produce), now(consume), now(member), now(admin_verb))
