"""The verbs of tests/lib/suite.py with confluent-kafka."""

import os

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from lib.case import check, equal, wait_for
from lib.verbs import Pending, dispatch, say, say_record, stdin_records, stop_event

BOOTSTRAP = os.environ["BOOTSTRAP"]
COMMON = {"bootstrap.servers": BOOTSTRAP, "topic.metadata.refresh.interval.ms": 2000}


def produce(topic, partition, codec):
    failures = []
    producer = Producer({**COMMON, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
    for key, value, header in stdin_records():
        options = {"partition": partition} if partition >= 0 else {}
        producer.produce(
            topic,
            value=value,
            key=key,
            headers=[header] if header else None,
            on_delivery=lambda error, _: error and failures.append(error),
            **options,
        )
        producer.poll(0)
    equal(producer.flush(30), 0, "records not acknowledged")
    equal(failures, [], "failures")


def new_consumer(group, **more):
    return Consumer(
        {**COMMON, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", **more}
    )


def consume(topic, partition, start, count):
    consumer = new_consumer("none", **{"enable.partition.eof": True})
    place = TopicPartition(topic, partition)
    if isinstance(start, tuple):
        place = consumer.offsets_for_times([TopicPartition(topic, partition, start[1])], 10)[0]
    else:
        place.offset = {"beginning": OFFSET_BEGINNING, "end": OFFSET_END}.get(start, start)
    if start == "end":
        place.offset = consumer.get_watermark_offsets(place, 10)[1]
    consumer.assign([place])
    say("ready")
    read = 0
    while read != count:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            equal(
                message.error().code(), KafkaError._PARTITION_EOF, "error"
            )  # pylint: disable=protected-access
            if count < 0:
                break
            continue
        say_record(message.offset(), message.key(), message.value(), message.headers())
        read += 1
    consumer.close()


def commit(consumer, pending):
    if pending.records:
        try:
            consumer.commit(asynchronous=False)
            pending.committed()
        except KafkaException:
            pass  # tried again after the next poll, or the partition goes to somebody else


def member(topic, group, assignor):
    stop, pending = stop_event(), Pending()
    classic = {
        "partition.assignment.strategy": assignor,
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 500,
    }
    consumer = new_consumer(group, **({"group.protocol": "consumer"} if assignor == "kip848" else classic))

    def revoked(_, places):
        commit(consumer, pending)
        pending.drop(p.partition for p in places)

    consumer.subscribe([topic], on_revoke=revoked)
    while not stop.is_set():
        for message in consumer.consume(100, 0.2):
            if not message.error():
                pending.add(message.partition(), message.offset(), message.value())
        commit(consumer, pending)
    consumer.close()


def fails_with(future, name):
    try:
        future.result(15)
    except KafkaException as e:
        equal(e.args[0].name(), name, "error")
    else:
        check(False, f"no error, wanted {name}")


def admin_topics(admin, topic):
    admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "3600000"})])[topic].result(15)
    fails_with(admin.create_topics([NewTopic(topic, 2, 1)])[topic], "TOPIC_ALREADY_EXISTS")
    fails_with(
        admin.create_topics([NewTopic(topic + "-rf", 2, 3)])[topic + "-rf"], "INVALID_REPLICATION_FACTOR"
    )
    wait_for(lambda: topic in admin.list_topics(timeout=10).topics, "the topic in the list")
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(15)
    described = lambda: admin.describe_topics(TopicCollection([topic]))[topic].result(15)  # noqa: E731
    wait_for(lambda: len(described().partitions) == 4, "four partitions")
    check(not described().is_internal, "the topic is internal")
    equal(len(admin.describe_cluster().result(15).nodes), 1, "nodes")


def admin_configs(admin, topic):
    resource = lambda **kw: ConfigResource(ResourceType.TOPIC, topic, **kw)  # noqa: E731
    value = (
        lambda: list(admin.describe_configs([resource()]).values())[0].result(15)["retention.ms"].value
    )  # noqa: E731
    equal(value(), "3600000", "retention.ms")
    entry = ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)
    list(admin.incremental_alter_configs([resource(incremental_configs=[entry])]).values())[0].result(15)
    wait_for(lambda: value() == "7200000", "the altered configuration")
    bad = ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)
    fails_with(
        list(admin.incremental_alter_configs([resource(incremental_configs=[bad])]).values())[0],
        "INVALID_CONFIG",
    )


def admin_offsets(admin, topic, group):
    producer = Producer(COMMON)
    for _ in range(10):
        producer.produce(topic, b"x", partition=0)
    producer.flush(10)
    place = TopicPartition(topic, 0)
    equal(admin.list_offsets({place: OffsetSpec.latest()})[place].result(15).offset, 10, "latest")
    equal(
        admin.list_offsets({place: OffsetSpec.max_timestamp()})[place].result(15).offset >= 0,
        True,
        "max timestamp",
    )
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 4)])])[
        group
    ].result(15)
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])])[group].result(
        15
    )
    equal([p.offset for p in found.topic_partitions], [4], "committed")
    equal(
        admin.delete_records([TopicPartition(topic, 0, 3)])[place].result(15).low_watermark,
        3,
        "low watermark",
    )
    equal(admin.list_offsets({place: OffsetSpec.earliest()})[place].result(15).offset, 3, "earliest")


def admin_groups(admin, group):
    check(
        group in [g.group_id for g in admin.list_consumer_groups().result(15).valid],
        "the group is not in the list",
    )
    described = admin.describe_consumer_groups([group])[group].result(15)
    equal(described.state.name, "EMPTY", "state")
    admin.delete_consumer_groups([group])[group].result(15)
    fails_with(admin.delete_consumer_groups([group])[group], "GROUP_ID_NOT_FOUND")


def admin_verb(topic, group):
    admin = AdminClient(COMMON)
    admin_topics(admin, topic)
    admin_configs(admin, topic)
    admin_offsets(admin, topic, group)
    admin_groups(admin, group)
    admin.delete_topics([topic])[topic].result(15)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics, "the topic to go")
    fails_with(admin.delete_topics([topic])[topic], "UNKNOWN_TOPIC_OR_PART")


if __name__ == "__main__":
    dispatch(produce, consume, member, admin_verb)
