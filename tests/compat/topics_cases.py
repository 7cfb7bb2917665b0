"""ApiVersions, Metadata, CreateTopics, DeleteTopics, CreatePartitions, DescribeTopicPartitions."""

from exchange import ZERO, exchange
from lib.case import main, wait_for
from lib.wire import HEADERS, KEYS, encode, frame, versions

# Every API that this stage of ottla serves; others may be absent, and must have the reference's versions when
# they are there.
SERVED = {
    "Produce",
    "Fetch",
    "ListOffsets",
    "Metadata",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "ApiVersions",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "DescribeConfigs",
    "AlterConfigs",
    "DescribeLogDirs",
    "CreatePartitions",
    "DeleteGroups",
    "IncrementalAlterConfigs",
    "OffsetDelete",
    "DescribeCluster",
    "DescribeQuorum",
    "DescribeTopicPartitions",
    "ListConfigResources",
}


def served(answer):
    """Without the features, which follow from the APIs; of the APIs those that both must have."""
    answer["apiKeys"] = [
        k for k in answer["apiKeys"] if k["apiKey"] in KEYS and KEYS[k["apiKey"]].name in SERVED
    ]
    for features in ("supportedFeatures", "finalizedFeatures"):
        if features in answer:
            answer[features] = [
                f for f in answer[features] if f["name"] in ("metadata.version", "kraft.version")
            ]
    return answer


@exchange(texts=True)
def api_versions(peer):
    who = {"clientSoftwareName": "ottla-compat", "clientSoftwareVersion": "1.0"}
    for v in versions("ApiVersions"):
        yield f"v{v}", served(peer.call("ApiVersions", v, **(who if v >= 3 else {})))
    for name, version in (
        ("", "1.0"),
        ("ottla", ""),
        ("-bad", "1.0"),
        ("good.name-1", "1.0"),
        ("bad name", "1.0"),
        ("ok", "1.0-"),
    ):
        answer = peer.call("ApiVersions", 4, clientSoftwareName=name, clientSoftwareVersion=version)
        yield f"software '{name}' '{version}'", served(answer)
    peer.connection = None
    connection = peer.connect()
    header = encode(
        HEADERS["RequestHeader"],
        2,
        {"requestApiKey": 18, "requestApiVersion": 99, "correlationId": 7, "clientId": "x"},
    )
    connection.send_raw(frame(header + b"\x05junk\x01\x00"))
    data = connection.receive_raw()
    yield "version 99", {
        "correlation": data[:4].hex(),
        "error": data[4:6].hex(),
        "count is positive": data[6:10] > bytes(4),
    }


@exchange(seconds=120, texts=True)
def metadata(peer):
    topic = peer.create(peer.name("a"), 3)
    other = peer.create(peer.name("b"))
    names = [topic, other]
    for v in versions("Metadata"):
        no_create = {"allowAutoTopicCreation": False} if v >= 4 else {}
        yield f"v{v} two", peer.call("Metadata", v, topics=[{"name": n} for n in names], **no_create)
        if v >= 4:
            yield f"v{v} unknown", peer.call("Metadata", v, topics=[{"name": peer.name("none")}], **no_create)
        yield f"v{v} invalid name", peer.call("Metadata", v, topics=[{"name": "no spaces"}], **no_create)
        yield f"v{v} empty name", peer.call("Metadata", v, topics=[{"name": ""}], **no_create)
        everything = peer.call("Metadata", v, topics=[] if v == 0 else None, **no_create)
        everything["topics"] = peer.own(everything["topics"])
        yield f"v{v} all", everything
        if v > 0:
            yield f"v{v} none", peer.call("Metadata", v, topics=[], **no_create)
        if v >= 8:
            yield f"v{v} operations", peer.call(
                "Metadata",
                v,
                topics=[{"name": topic}],
                includeTopicAuthorizedOperations=True,
                **({"includeClusterAuthorizedOperations": True} if v <= 10 else {}),
            )
        if v >= 10:
            known = peer.topic_id(topic)
            yield f"v{v} null name", peer.call("Metadata", v, topics=[{"name": None}], **no_create)
            yield f"v{v} twice", peer.call(
                "Metadata", v, topics=[{"name": topic}, {"name": topic}], **no_create
            )
            yield f"v{v} id", peer.call("Metadata", v, topics=[{"name": None, "topicId": known}], **no_create)
            unknown = [{"name": None, "topicId": "11" * 16}]
            yield f"v{v} unknown id", peer.call("Metadata", v, topics=unknown, **no_create)
            yield f"v{v} name and id", peer.call(
                "Metadata", v, topics=[{"name": topic, "topicId": known}], **no_create
            )


@exchange(seconds=90, texts=True)
def metadata_creates(peer):
    """A topic that a client asks for comes to be, in each version that can ask for it."""
    for v in versions("Metadata"):
        topic = peer.name(f"auto{v}")
        yield f"v{v} first", peer.call("Metadata", v, topics=[{"name": topic}])
        wait_for(
            lambda t=topic, w=v: peer.must("Metadata", w, topics=[{"name": t}])["topics"][0]["errorCode"]
            == 0,
            topic,
        )
        yield f"v{v} then", peer.call("Metadata", v, topics=[{"name": topic}])
    for name in ("__consumer_offsets", "__transaction_state"):
        answer = wait_for(lambda n=name: ready(peer, n), name)
        yield f"{name}", {"partitions": len(answer["partitions"]), "internal": answer["isInternal"]}


def ready(peer, name):
    topic = peer.must("Metadata", 9, topics=[{"name": name}], allowAutoTopicCreation=True)["topics"][0]
    return topic if topic["errorCode"] == 0 else None


def creations(peer, v):
    """(label, list of topics, other fields)"""
    new = lambda name, **f: {
        "name": peer.name(f"{name}{v}"),
        "numPartitions": 1,
        "replicationFactor": 1,
        **f,
    }  # noqa: E731
    config = lambda name, value: [{"name": name, "value": value}]  # noqa: E731
    assign = lambda *lists: [
        {"partitionIndex": i, "brokerIds": list(b)} for i, b in enumerate(lists)
    ]  # noqa: E731
    given = {"numPartitions": -1, "replicationFactor": -1}
    yield "one", [new("one")], {}
    yield "again", [new("one")], {}
    yield "several", [
        new("s1", numPartitions=3),
        new("s2", configs=config("retention.ms", "1000")),
        new("one"),
    ], {}
    yield "same name twice", [new("twice"), new("twice")], {}
    if v >= 4:
        yield "defaults", [new("def", **given)], {}
    yield "no partitions", [new("p0", numPartitions=0)], {}
    yield "minus two partitions", [new("p2", numPartitions=-2)], {}
    yield "replication 0", [new("r0", replicationFactor=0)], {}
    yield "replication 3", [new("r3", replicationFactor=3)], {}
    yield "validate", [new("val", configs=config("segment.bytes", "1048576"))], {"validateOnly": True}
    yield "validate what exists", [new("one")], {"validateOnly": True}
    yield "unknown config", [new("cu", configs=config("no.such.config", "1"))], {}
    yield "bad config", [new("cb", configs=config("retention.ms", "soon"))], {}
    yield "config out of range", [new("cr", configs=config("min.insync.replicas", "0"))], {}
    yield "null config", [new("cn", configs=config("retention.ms", None))], {}
    yield "config twice", [new("c2", configs=config("retention.ms", "1") + config("retention.ms", "2"))], {}
    yield "assigned", [new("as", assignments=assign([1], [1]), **given)], {}
    yield "assigned and counted", [new("ac", assignments=assign([1]))], {}
    yield "assigned to none", [new("an", assignments=assign([]), **given)], {}
    yield "assigned to unknown", [new("au", assignments=assign([9]), **given)], {}
    yield "assigned twice the same", [new("a2", assignments=assign([1, 1]), **given)], {}
    gap = [{"partitionIndex": i, "brokerIds": [1]} for i in (0, 2)]
    yield "assigned with a gap", [new("ag", assignments=gap, **given)], {}
    yield "nothing", [], {}
    for label, name in (
        ("empty", ""),
        ("dot", "."),
        ("dots", ".."),
        ("space", "a b"),
        ("slash", "a/b"),
        ("long", "x" * 250),
        ("internal", "__consumer_offsets"),
        ("metadata", "__cluster_metadata"),
    ):
        if label != "internal":
            yield f"name {label}", [{"name": name, "numPartitions": 1, "replicationFactor": 1}], {
                "validateOnly": True
            }
    dotted = peer.name(f"co_l{v}")
    yield "underscore", [{"name": dotted, "numPartitions": 1, "replicationFactor": 1}], {}
    yield "colliding dot", [
        {"name": dotted.replace("_", "."), "numPartitions": 1, "replicationFactor": 1}
    ], {}


@exchange(seconds=180, texts=True)
def create_topics(peer):
    for v in versions("CreateTopics"):
        for label, topics, more in creations(peer, v):
            yield f"v{v} {label}", peer.call("CreateTopics", v, topics=topics, timeoutMs=15000, **more)


@exchange(seconds=120, texts=True)
def delete_topics(peer):
    for v in versions("DeleteTopics"):
        a, b = peer.create(peer.name(f"a{v}")), peer.create(peer.name(f"b{v}"))
        names = lambda *n, w=v: (
            {"topicNames": list(n)} if w < 6 else {"topics": [{"name": m} for m in n]}
        )  # noqa: E731
        yield f"v{v} unknown", peer.call("DeleteTopics", v, timeoutMs=15000, **names(peer.name("none")))
        yield f"v{v} nothing", peer.call("DeleteTopics", v, timeoutMs=15000, **names())
        yield f"v{v} known and unknown", peer.call(
            "DeleteTopics", v, timeoutMs=15000, **names(a, peer.name("none"))
        )
        yield f"v{v} again", peer.call("DeleteTopics", v, timeoutMs=15000, **names(a))
        yield f"v{v} twice in one", peer.call("DeleteTopics", v, timeoutMs=15000, **names(b, b))
        if v >= 6:
            c = peer.create(peer.name(f"c{v}"))
            known = peer.topic_id(c)
            yield f"v{v} name and id", peer.call(
                "DeleteTopics", v, timeoutMs=15000, topics=[{"name": c, "topicId": known}]
            )
            yield f"v{v} unknown id", peer.call(
                "DeleteTopics", v, timeoutMs=15000, topics=[{"name": None, "topicId": "22" * 16}]
            )
            yield f"v{v} neither", peer.call(
                "DeleteTopics", v, timeoutMs=15000, topics=[{"name": None, "topicId": ZERO}]
            )
            yield f"v{v} id", peer.call(
                "DeleteTopics", v, timeoutMs=15000, topics=[{"name": None, "topicId": known}]
            )
            yield f"v{v} id again", peer.call(
                "DeleteTopics", v, timeoutMs=15000, topics=[{"name": None, "topicId": known}]
            )


@exchange(seconds=120, texts=True)
def create_partitions(peer):
    for v in versions("CreatePartitions"):
        topic = peer.create(peer.name(f"t{v}"), 2)
        call = lambda *t, w=v, **f: peer.call(
            "CreatePartitions", w, topics=list(t), timeoutMs=15000, **f
        )  # noqa: E731
        to = lambda count, name=topic, **f: {
            "name": name,
            "count": count,
            "assignments": None,
            **f,
        }  # noqa: E731
        yield f"v{v} fewer", call(to(1))
        yield f"v{v} the same", call(to(2))
        yield f"v{v} zero", call(to(0))
        yield f"v{v} negative", call(to(-1))
        yield f"v{v} unknown", call(to(3, peer.name("none")))
        yield f"v{v} validate", call(to(5), validateOnly=True)
        yield f"v{v} assigned", call(to(3, assignments=[{"brokerIds": [1]}]))
        yield f"v{v} too many assigned", call(to(4, assignments=[{"brokerIds": [1]}, {"brokerIds": [1]}]))
        yield f"v{v} to an unknown broker", call(to(4, assignments=[{"brokerIds": [7]}]))
        yield f"v{v} to nobody", call(to(4, assignments=[{"brokerIds": []}]))
        yield f"v{v} none assigned", call(to(4, assignments=[]))
        yield f"v{v} twice", call(to(5), to(6))
        yield f"v{v} more", call(to(7))
        yield f"v{v} nothing", call()
        peer.ready(topic, 7)
        yield f"v{v} then", peer.call("Metadata", 9, topics=[{"name": topic}])


@exchange(texts=True)
def describe_topic_partitions(peer):
    a, b = peer.create(peer.name("a"), 5), peer.create(peer.name("b"), 2)
    for v in versions("DescribeTopicPartitions"):
        call = lambda names, w=v, **f: peer.call(
            "DescribeTopicPartitions", w, topics=[{"name": n} for n in names], **f
        )  # noqa: E731
        for limit in (1, 2, 5, 6, 7, 2000):
            yield f"v{v} limit {limit}", call([a, b], responsePartitionLimit=limit)
        yield f"v{v} limit 0", call([a], responsePartitionLimit=0)
        yield f"v{v} cursor", call(
            [a, b], responsePartitionLimit=3, cursor={"topicName": a, "partitionIndex": 2}
        )
        yield f"v{v} cursor at the next topic", call(
            [a, b], responsePartitionLimit=9, cursor={"topicName": b, "partitionIndex": 0}
        )
        yield f"v{v} cursor beyond", call(
            [a, b], responsePartitionLimit=9, cursor={"topicName": a, "partitionIndex": 99}
        )
        yield f"v{v} cursor at an unknown topic", call(
            [a, b], cursor={"topicName": peer.name("aa"), "partitionIndex": 0}
        )
        yield f"v{v} cursor below zero", call([a], cursor={"topicName": a, "partitionIndex": -1})
        yield f"v{v} unknown", call([peer.name("none"), b])
        yield f"v{v} invalid", call(["a b"])
        yield f"v{v} twice", call([b, b])


if __name__ == "__main__":
    main()
