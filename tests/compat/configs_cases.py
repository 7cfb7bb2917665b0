"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources, DescribeCluster,
DescribeLogDirs, DescribeQuorum."""

from configuration import (
    APPEND,
    BROKER,
    DELETE,
    GROUP,
    LOGGER,
    METRICS,
    SET,
    SUBTRACT,
    TOPIC,
    describe,
    settled,
)
from exchange import exchange
from lib.case import main, wait_for
from lib.records import batch
from lib.wire import versions


@exchange(seconds=90, texts=True)
def describe_configs(peer):
    """Every topic and broker configuration: name, value, source, type, sensitivity, synonyms, whether it has
    documentation."""
    topic = peer.create(peer.name("t"), 1, retention_ms=1234, cleanup_policy="compact,delete")
    for v in versions("DescribeConfigs"):
        for synonyms in (False, True):
            more = {"includeSynonyms": synonyms} | ({"includeDocumentation": True} if v >= 3 else {})
            yield f"v{v} topic, synonyms {synonyms}", describe(peer, v, TOPIC, topic, **more)
            yield f"v{v} broker, synonyms {synonyms}", describe(peer, v, BROKER, "1", **more)
        yield f"v{v} all brokers", describe(peer, v, BROKER, "")
        yield f"v{v} some keys", describe(
            peer, v, TOPIC, topic, ["retention.ms", "no.such.key", "segment.bytes"]
        )
        yield f"v{v} no keys", describe(peer, v, TOPIC, topic, [])
        yield f"v{v} unknown topic", describe(peer, v, TOPIC, peer.name("none"))
        yield f"v{v} invalid topic", describe(peer, v, TOPIC, "a b")
        yield f"v{v} empty topic", describe(peer, v, TOPIC, "")
        yield f"v{v} unknown broker", describe(peer, v, BROKER, "9")
        yield f"v{v} broker without number", describe(peer, v, BROKER, "one")
        yield f"v{v} type 99", describe(peer, v, 99, "x")
        yield f"v{v} type 0", describe(peer, v, 0, "x")
        two = [
            {"resourceType": TOPIC, "resourceName": n, "configurationKeys": ["retention.ms"]}
            for n in (topic, peer.name("none"))
        ]
        yield f"v{v} two", peer.call("DescribeConfigs", v, resources=two)
        yield f"v{v} nothing", peer.call("DescribeConfigs", v, resources=[])


def own_configs(peer, topic):
    """What a topic's configuration is made of, without defaults."""
    settled(peer)
    answer = describe(peer, 4, TOPIC, topic)
    answer["results"][0]["configs"] = [c for c in answer["results"][0]["configs"] if c["configSource"] == 1]
    return answer


@exchange(seconds=60, texts=True)
def alter_configs(peer):
    for v in versions("AlterConfigs"):
        topic = peer.create(peer.name(f"t{v}"), 1, retention_ms=1234)

        def alter(*pairs, kind=TOPIC, name=topic, w=v, **fields):
            return peer.call(
                "AlterConfigs",
                w,
                resources=[
                    {
                        "resourceType": kind,
                        "resourceName": name,
                        "configs": [{"name": n, "value": value} for n, value in pairs],
                    }
                ],
                **fields,
            )

        yield f"v{v} set", alter(("segment.bytes", "2000000"))
        yield f"v{v} replaced all", own_configs(peer, topic)
        yield f"v{v} validate", alter(("segment.bytes", "3000000"), validateOnly=True)
        yield f"v{v} unknown key", alter(("no.such.key", "1"))
        yield f"v{v} bad value", alter(("retention.ms", "soon"))
        yield f"v{v} null value", alter(("retention.ms", None))
        yield f"v{v} out of range", alter(("min.insync.replicas", "0"))
        yield f"v{v} twice", alter(("retention.ms", "1"), ("retention.ms", "2"))
        yield f"v{v} unknown topic", alter(("retention.ms", "1"), name=peer.name("none"))
        yield f"v{v} unknown broker", alter(("log.cleaner.threads", "2"), kind=BROKER, name="9")
        yield f"v{v} read-only broker key", alter(("log.dirs", "/x"), kind=BROKER, name="1")
        yield f"v{v} type 99", alter(("a", "b"), kind=99)
        yield f"v{v} nothing", peer.call("AlterConfigs", v, resources=[])
        yield f"v{v} after the errors", own_configs(peer, topic)
        yield f"v{v} empty", alter()
        yield f"v{v} all gone", own_configs(peer, topic)


@exchange(seconds=60, texts=True)
def incremental_alter_configs(peer):
    for v in versions("IncrementalAlterConfigs"):
        topic = peer.create(peer.name(f"t{v}"), 1, retention_ms=1234)

        def alter(*changes, kind=TOPIC, name=topic, w=v, **fields):
            return peer.call(
                "IncrementalAlterConfigs",
                w,
                resources=[
                    {
                        "resourceType": kind,
                        "resourceName": name,
                        "configs": [
                            {"name": n, "configOperation": op, "value": value} for n, op, value in changes
                        ],
                    }
                ],
                **fields,
            )

        yield f"v{v} set", alter(("segment.bytes", SET, "2000000"))
        yield f"v{v} append", alter(("cleanup.policy", APPEND, "compact"))
        yield f"v{v} append what is there", alter(("cleanup.policy", APPEND, "compact"))
        yield f"v{v} then", own_configs(peer, topic)
        yield f"v{v} subtract", alter(("cleanup.policy", SUBTRACT, "delete"))
        yield f"v{v} subtract what is not there", alter(("cleanup.policy", SUBTRACT, "delete"))
        yield f"v{v} delete", alter(("retention.ms", DELETE, None))
        yield f"v{v} delete what is not set", alter(("retention.bytes", DELETE, None))
        yield f"v{v} then again", own_configs(peer, topic)
        yield f"v{v} append to a number", alter(("retention.ms", APPEND, "1"))
        yield f"v{v} operation 7", alter(("retention.ms", 7, "1"))
        yield f"v{v} set null", alter(("retention.ms", SET, None))
        yield f"v{v} unknown key", alter(("no.such.key", SET, "1"))
        yield f"v{v} delete an unknown key", alter(("no.such.key", DELETE, None))
        yield f"v{v} bad value", alter(("retention.ms", SET, "soon"))
        yield f"v{v} bad list", alter(("cleanup.policy", SET, "burn"))
        yield f"v{v} twice", alter(("retention.ms", SET, "1"), ("retention.ms", DELETE, None))
        yield f"v{v} unknown topic", alter(("retention.ms", SET, "1"), name=peer.name("none"))
        yield f"v{v} unknown broker", alter(("log.cleaner.threads", SET, "2"), kind=BROKER, name="9")
        yield f"v{v} broker not a number", alter(("log.cleaner.threads", SET, "2"), kind=BROKER, name="x")
        yield f"v{v} read-only broker key", alter(("log.dirs", SET, "/x"), kind=BROKER, name="1")
        yield f"v{v} validate", alter(("segment.bytes", SET, "3000000"), validateOnly=True)
        yield f"v{v} type 99", alter(("a", SET, "b"), kind=99)
        yield f"v{v} nothing", peer.call("IncrementalAlterConfigs", v, resources=[])
        same = [{"resourceType": TOPIC, "resourceName": topic, "configs": []}] * 2
        yield f"v{v} a resource twice", peer.call("IncrementalAlterConfigs", v, resources=same)
        yield f"v{v} at the end", own_configs(peer, topic)


@exchange(seconds=60, alone=True, texts=True)
def broker_configs(peer):
    """Dynamic configurations of one broker and of all, their order of precedence, and what they change."""

    def alter(name, *changes):
        return peer.call(
            "IncrementalAlterConfigs",
            1,
            resources=[
                {
                    "resourceType": BROKER,
                    "resourceName": name,
                    "configs": [
                        {"name": n, "configOperation": op, "value": value} for n, op, value in changes
                    ],
                }
            ],
        )

    def value(source=None, size=None):
        """Both the source and the value: the reference knows of the one before it has the other."""
        keys = ["log.retention.ms", "message.max.bytes"]
        found = describe(peer, 4, BROKER, "1", keys, includeSynonyms=True)
        configs = {c["name"]: c for c in found["results"][0]["configs"]}
        done = all(c["configSource"] == source for c in configs.values())
        return found if source is None or done and configs["message.max.bytes"]["value"] == size else None

    yield "at first", value()
    yield "for all", alter("", ("message.max.bytes", SET, "2000000"), ("log.retention.ms", SET, "5000000"))
    yield "all then", wait_for(lambda: value(3, "2000000"), "the default of all brokers")
    yield "for one", alter("1", ("message.max.bytes", SET, "3000000"), ("log.retention.ms", SET, "6000000"))
    yield "one then", wait_for(lambda: value(2, "3000000"), "the broker's own")
    topic = peer.create(peer.name("t"))
    yield "a topic's default follows", describe(
        peer, 4, TOPIC, topic, ["max.message.bytes", "retention.ms"], includeSynonyms=True
    )
    yield "dynamic brokers listed", peer.call("ListConfigResources", 1, resourceTypes=[BROKER])
    yield "one deleted", alter("1", ("message.max.bytes", DELETE, None), ("log.retention.ms", DELETE, None))
    yield "back to all", wait_for(lambda: value(3, "2000000"), "the default of all brokers again")
    yield "all deleted", alter("", ("message.max.bytes", DELETE, None), ("log.retention.ms", DELETE, None))
    yield "back to none", wait_for(lambda: value(5, "1048588"), "the defaults again")
    yield "bad value", alter("1", ("message.max.bytes", SET, "many"))
    yield "negative", alter("1", ("message.max.bytes", SET, "-1"))
    yield "unknown key", alter("1", ("my.own.key", SET, "1"))
    yield "unknown key deleted", alter("1", ("my.own.key", DELETE, None))


@exchange(texts=True)
def list_config_resources(peer):
    topic = peer.create(peer.name("t"))
    for v in versions("ListConfigResources"):
        for types in (
            ([], [TOPIC], [BROKER], [GROUP], [METRICS], [LOGGER], [99], [TOPIC, TOPIC]) if v >= 1 else (None,)
        ):
            answer = peer.call("ListConfigResources", v, **({"resourceTypes": types} if v >= 1 else {}))
            answer["configResources"] = [
                r
                for r in answer["configResources"]
                if r["resourceName"].startswith(peer.prefix) or r["resourceName"] == "1"
            ]
            yield f"v{v} {types}", answer
    yield "the topic", {"name": topic}


@exchange(texts=True)
def describe_cluster(peer):
    for v in versions("DescribeCluster"):
        for operations in (False, True):
            for kind in (1, 2, 3) if v >= 1 else (None,):
                more = {"endpointType": kind} if kind else {}
                answer = peer.call(
                    "DescribeCluster", v, includeClusterAuthorizedOperations=operations, **more
                )
                yield f"v{v} operations {operations} endpoint {kind}", answer
        if v >= 2:
            yield f"v{v} fenced too", peer.call("DescribeCluster", v, includeFencedBrokers=True)


@exchange(texts=True)
def describe_log_dirs(peer):
    topic = peer.create(peer.name("t"), 2)
    peer.produce(topic, batch([b"x" * 100], now=1_700_000_000_000))
    for v in versions("DescribeLogDirs"):
        for label, topics in (
            ("all", None),
            ("one", [{"topic": topic, "partitions": [0]}]),
            ("both", [{"topic": topic, "partitions": [0, 1]}]),
            ("unknown", [{"topic": peer.name("none"), "partitions": [0]}]),
            ("nothing", []),
            ("unknown partition", [{"topic": topic, "partitions": [9]}]),
            ("twice", [{"topic": topic, "partitions": [1, 0, 1]}, {"topic": topic, "partitions": [0]}]),
        ):
            answer = peer.call("DescribeLogDirs", v, topics=topics)
            for result in answer["results"]:
                result["topics"] = peer.own(result["topics"])
            yield f"v{v} {label}", answer


@exchange(texts=True)
def describe_quorum(peer):
    def readable(answer):
        """Offsets of the metadata log and its epoch are each broker's own."""
        for topic in answer["topics"]:
            for partition in topic["partitions"]:
                if partition["errorCode"] == 0:
                    partition["highWatermark"] = partition["highWatermark"] > 0
                    partition["leaderEpoch"] = partition["leaderEpoch"] > 0
                for voter in partition["currentVoters"] + partition["observers"]:
                    voter["logEndOffset"] = voter["logEndOffset"] > 0
        return answer

    for v in versions("DescribeQuorum"):
        ask = lambda name, *partitions, w=v: readable(
            peer.call(
                "DescribeQuorum",
                w,
                topics=[  # noqa: E731
                    {"topicName": name, "partitions": [{"partitionIndex": p} for p in partitions]}
                ],
            )
        )
        yield f"v{v}", ask("__cluster_metadata", 0)
        yield f"v{v} unknown partition", ask("__cluster_metadata", 1)
        yield f"v{v} unknown topic", ask("nope", 0)
        yield f"v{v} two", ask("__cluster_metadata", 0, 1)
        yield f"v{v} nothing", readable(peer.call("DescribeQuorum", v, topics=[]))


if __name__ == "__main__":
    main()
