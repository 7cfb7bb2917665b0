"""The verbs of tests/lib/suite.py with kafka-python."""

import os
import time

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.consumer.subscription_state import OffsetAndMetadata
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from lib.case import check, equal, wait_for
from lib.verbs import Pending, dispatch, say, say_record, stdin_records, stop_event

BOOTSTRAP = os.environ["BOOTSTRAP"]
ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
}


def produce(topic, partition, codec):
    producer = KafkaProducer(
        bootstrap_servers=BOOTSTRAP,
        acks="all",
        linger_ms=5,
        compression_type=None if codec == "none" else codec,
    )
    sent = [
        producer.send(
            topic,
            value=value,
            key=key,
            headers=[header] if header else [],
            partition=partition if partition >= 0 else None,
        )
        for key, value, header in stdin_records()
    ]
    producer.flush(30)
    for future in sent:
        future.get(10)
    producer.close()


def consume(topic, partition, start, count):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False)
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    if start == "beginning":
        consumer.seek_to_beginning(place)
    elif start == "end":
        consumer.seek_to_end(place)
    elif isinstance(start, int):
        consumer.seek(place, start)
    else:
        consumer.seek(place, consumer.offsets_for_times({place: start[1]})[place].offset)
    at, end, read = consumer.position(place), consumer.end_offsets([place])[place], 0
    say("ready")
    while read < count if count >= 0 else at < end:
        for record in consumer.poll(500).get(place, []):
            if read != count:
                say_record(record.offset, record.key, record.value, record.headers)
                at, read = record.offset + 1, read + 1
    consumer.close()


class Revoked(ConsumerRebalanceListener):
    def __init__(self, consumer, pending):
        self.consumer, self.pending = consumer, pending

    def on_partitions_revoked(self, revoked):
        commit(self.consumer, self.pending)
        self.pending.drop(p.partition for p in revoked)

    def on_partitions_assigned(self, assigned):
        pass


def commit(consumer, pending):
    if pending.records:
        try:
            consumer.commit()
            pending.committed()
        except KafkaError:
            pass  # tried again after the next poll, or the partition goes to somebody else


def member(topic, group, assignor):
    stop, pending = stop_event(), Pending()
    consumer = KafkaConsumer(
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10000,
        heartbeat_interval_ms=500,
        partition_assignment_strategy=[ASSIGNORS[assignor]],
    )
    consumer.subscribe([topic], listener=Revoked(consumer, pending))
    while not stop.is_set():
        for place, records in consumer.poll(200).items():
            for record in records:
                pending.add(place.partition, record.offset, record.value)
        commit(consumer, pending)
    consumer.close()


def admin_topics(admin, topic):
    admin.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "3600000"})])
    wait_for(lambda: topic in admin.list_topics(), "the topic in the list")
    try:
        admin.create_topics([NewTopic(topic, 2, 1)])
        check(False, "a topic was created twice")
    except TopicAlreadyExistsError:
        pass
    admin.create_partitions({topic: NewPartitions(4)})
    wait_for(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 4, "four partitions")


def config_of(admin, topic, name):
    found = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, {name: None})], config_filter="all"
    )
    text = repr(found)
    return text


def admin_configs(admin, topic):
    check(
        "3600000" in config_of(admin, topic, "retention.ms"),
        f"retention.ms: {config_of(admin, topic, 'retention.ms')}",
    )
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})])
    wait_for(lambda: "7200000" in config_of(admin, topic, "retention.ms"), "the altered configuration")


def admin_groups(admin, topic, group):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    for i in range(10):
        producer.send(topic, b"x", partition=0)
    producer.flush()
    place = TopicPartition(topic, 0)
    admin.alter_group_offsets(group, {place: OffsetAndMetadata(4, "note", -1)})
    offsets = wait_for(lambda: admin.list_group_offsets([group])[group], "the committed offset")
    equal((offsets[place].offset, offsets[place].metadata), (4, "note"), "committed")
    check(any(group in repr(g) for g in admin.list_groups()), "the group is not in the list")
    check("Empty" in repr(admin.describe_groups([group])), f"describe: {admin.describe_groups([group])}")
    equal(admin.delete_records({place: 3})[place]["low_watermark"], 3, "low watermark")
    admin.delete_groups([group])
    check(not any(group in repr(g) for g in admin.list_groups()), "the group is still there")


def admin_verb(topic, group):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    equal(len(admin.describe_cluster()["brokers"]), 1, "brokers")
    admin_topics(admin, topic)
    admin_configs(admin, topic)
    admin_groups(admin, topic, group)
    check(topic in repr(admin.describe_log_dirs()), "describe_log_dirs")
    admin.delete_topics([topic])
    wait_for(lambda: topic not in admin.list_topics(), "the topic to go")
    try:
        admin.delete_topics([topic])
        check(False, "a topic was deleted twice")
    except UnknownTopicOrPartitionError:
        time.sleep(0)
    admin.close()


if __name__ == "__main__":
    dispatch(produce, consume, member, admin_verb)
