"""The rest of administration, texts included: configurations of groups, client metrics, loggers and brokers;
lists of configuration values; limits and odd requests of the topic APIs."""

import time

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
    listed,
    settled,
)
from exchange import ZERO, Peer, differences, exchange
from lib.broker import Broker
from lib.case import case, check, main, wait_for
from lib.records import batch
from lib.wire import versions


def alter(peer, kind, name, *changes, v=1, **fields):
    return peer.call(
        "IncrementalAlterConfigs",
        v,
        resources=[
            {
                "resourceType": kind,
                "resourceName": name,
                "configs": [{"name": n, "configOperation": op, "value": value} for n, op, value in changes],
            }
        ],
        **fields,
    )


def replace(peer, kind, name, *pairs, v=2, **fields):
    return peer.call(
        "AlterConfigs",
        v,
        resources=[
            {
                "resourceType": kind,
                "resourceName": name,
                "configs": [{"name": n, "value": value} for n, value in pairs],
            }
        ],
        **fields,
    )


def refused(answer):
    """The same error, but for words that are Scala's or Java's: 'requirement failed', what a parser ran into."""
    for response in answer["responses"]:
        text = (response["errorMessage"] or "").removeprefix("requirement failed: ")
        for end in ("Error parsing configuration property",):
            text = end if end in text else text
        response["errorMessage"] = text
    return answer


def changed(peer, kind, name, *changes):
    """A change, and the configuration once it is in force."""
    yield f"{name or 'all'} {changes}", alter(peer, kind, name, *changes)
    wanted = {n: value for n, op, value in changes if op == SET}

    def there():
        found = describe(peer, 4, kind, name, list(wanted) or None, includeSynonyms=True)
        have = {c["name"]: c["value"] for c in found["results"][0]["configs"]}
        return found if all(have.get(n) == value for n, value in wanted.items()) else None

    yield f"{name or 'all'} {changes} then", wait_for(there, f"{peer.kind}: {changes}", 5)


@exchange(seconds=90, texts=True)
def group_configs(peer):
    group = peer.name("g")
    for v in versions("DescribeConfigs"):
        more = {"includeSynonyms": True} | ({"includeDocumentation": True} if v >= 3 else {})
        yield f"v{v} nothing set", describe(peer, v, GROUP, group, **more)
        yield f"v{v} no name", describe(peer, v, GROUP, "", **more)
    yield from changed(peer, GROUP, group, ("consumer.session.timeout.ms", SET, "50000"))
    yield from changed(
        peer,
        GROUP,
        group,
        ("share.auto.offset.reset", SET, "earliest"),
        ("streams.num.standby.replicas", SET, "1"),
    )
    yield "listed", listed(peer, GROUP, 1)
    for name, value in (
        ("consumer.session.timeout.ms", "1"),
        ("consumer.session.timeout.ms", "999999999"),
        ("consumer.heartbeat.interval.ms", "1"),
        ("consumer.heartbeat.interval.ms", "x"),
        ("no.such", "1"),
        ("share.auto.offset.reset", "never"),
        ("share.auto.offset.reset", "by_duration:PT1H"),
        ("share.auto.offset.reset", "by_duration:soon"),
        ("share.isolation.level", "x"),
        ("share.record.lock.duration.ms", "1"),
        ("streams.num.standby.replicas", "99"),
        ("consumer.session.timeout.ms", "46000"),
        ("consumer.heartbeat.interval.ms", "15000"),
    ):
        yield f"{name}={value}", alter(peer, GROUP, group, (name, SET, value), validateOnly=True)
    yield "append", alter(peer, GROUP, group, ("consumer.session.timeout.ms", APPEND, "1"))
    yield "no name", alter(peer, GROUP, "", ("consumer.session.timeout.ms", SET, "50000"))
    yield "replaced", replace(peer, GROUP, group, ("consumer.heartbeat.interval.ms", "6000"))
    settled(peer)
    yield "then", describe(peer, 4, GROUP, group)
    yield "all gone", replace(peer, GROUP, group)
    yield "no longer listed", listed(peer, GROUP, 0)


@exchange(seconds=90, texts=True)
def client_metrics_configs(peer):
    name = peer.name("m")
    for v in versions("DescribeConfigs"):
        more = {"includeSynonyms": True} | ({"includeDocumentation": True} if v >= 3 else {})
        yield f"v{v} nothing set", describe(peer, v, METRICS, name, **more)
        yield f"v{v} no name", describe(peer, v, METRICS, "", **more)
    yield from changed(peer, METRICS, name, ("interval.ms", SET, "1000"), ("metrics", SET, "a.b,c"))
    yield "append", alter(peer, METRICS, name, ("metrics", APPEND, "d"))
    yield "subtract", alter(peer, METRICS, name, ("metrics", SUBTRACT, "a.b"))
    settled(peer)
    yield "then", describe(peer, 4, METRICS, name, includeSynonyms=True)
    for key, value in (
        ("interval.ms", "99"),
        ("interval.ms", "3600001"),
        ("interval.ms", "x"),
        ("no.such", "1"),
        ("match", "x"),
        ("match", "no_such=x"),
        ("match", "client_id=a,client_software_name=b"),
        ("match", "client_id="),
        ("metrics", ""),
        ("match", ""),
    ):
        yield f"{key}={value}", alter(peer, METRICS, name, (key, SET, value), validateOnly=True)
    yield "no name", alter(peer, METRICS, "", ("interval.ms", SET, "1000"))
    for v in versions("ListConfigResources"):
        yield f"v{v} listed", listed(peer, METRICS, 1, v)
    yield "deleted", alter(
        peer, METRICS, name, ("metrics", DELETE, None), ("match", DELETE, None), ("interval.ms", DELETE, None)
    )
    yield "no longer listed", listed(peer, METRICS, 0)


@exchange(texts=True, alone=True)
def broker_loggers(peer):
    """The root logger, and those whose names both have: the others are classes of the reference."""
    for v in versions("DescribeConfigs"):
        for name in ("9", "x", "", "-1", "01", "1"):
            answer = describe(peer, v, LOGGER, name, ["root"])
            for config in answer["results"][0]["configs"]:
                config["value"] = "<level>"
            yield f"v{v} describe '{name}'", answer
    for v in versions("IncrementalAlterConfigs"):
        for label, name, *change in (
            ("other node", "9", "root", SET, "INFO"),
            ("no number", "x", "root", SET, "INFO"),
            ("no name", "", "root", SET, "INFO"),
            ("unknown", "1", "no.such.logger", SET, "INFO"),
            ("bad level", "1", "root", SET, "LOUD"),
            ("lower case", "1", "root", SET, "info"),
            ("deleted", "1", "root", DELETE, None),
            ("appended", "1", "root", APPEND, "INFO"),
            ("subtracted", "1", "root", SUBTRACT, "INFO"),
            ("operation 9", "1", "root", 9, "INFO"),
            ("null", "1", "root", SET, None),
        ):
            yield f"v{v} {label}", alter(peer, LOGGER, name, tuple(change), v=v)
        yield f"v{v} validated", alter(peer, LOGGER, "1", ("root", SET, "ERROR"), v=v, validateOnly=True)
        yield f"v{v} set", alter(peer, LOGGER, "1", ("root", SET, "WARN"), v=v)
        yield f"v{v} then", describe(peer, 4, LOGGER, "1", ["root"])
        yield f"v{v} set back", alter(peer, LOGGER, "1", ("root", SET, "INFO"), v=v)
        one = "org.apache.kafka.storage.internals.log.LogCleaner"
        for label, *changes in (
            ("one set", (one, SET, "TRACE"), ("root", SET, "WARN")),
            ("a level that is none", (one, SET, "ERROR"), ("root", SET, "LOUD")),
            ("one that is unknown", (one, SET, "ERROR"), ("no.such.logger", DELETE, None)),
            ("one deleted", (one, DELETE, None)),
            ("deleted again", (one, DELETE, None)),
            ("all back", ("root", SET, "INFO")),
        ):
            yield f"v{v} {label}", alter(peer, LOGGER, "1", *changes, v=v)
            yield f"v{v} {label}, then", describe(peer, 4, LOGGER, "1", [one, "root", "no.such.logger"])
    for v in versions("AlterConfigs"):
        yield f"v{v} not incrementally", replace(peer, LOGGER, "1", ("root", "INFO"), v=v)


@exchange(seconds=120, alone=True, texts=True)
def dynamic_brokers(peer):
    """What a broker refuses, and what synonyms and prefixes do."""
    for name in ("1", ""):
        for key, op, value in (
            ("log.dirs", SET, "/x"),
            ("node.id", SET, "2"),
            ("log.retention.ms", SET, "0"),
            ("log.retention.ms", SET, "x"),
            ("log.retention.hours", SET, "5"),
            ("log.cleaner.threads", SET, "2"),
            ("log.cleaner.threads", SET, "9"),
            ("num.io.threads", SET, "0"),
            ("num.io.threads", SET, "100"),
            ("log.cleanup.policy", APPEND, "compact"),
            ("log.cleanup.policy", SET, "burn"),
            ("compression.type", SET, "zip"),
            ("min.insync.replicas", SET, "1"),
            ("min.insync.replicas", DELETE, None),
            ("ssl.keystore.location", SET, "/k"),
            ("no.such", APPEND, "1"),
            ("max.connections", APPEND, "1"),
            ("max.connections", 9, "1"),
            ("sasl.jaas.config", SET, "x"),
            ("max.connections.per.ip.overrides", SET, "a"),
            ("max.connections.per.ip.overrides", SET, "127.0.0.9:4"),
            ("listener.name.plaintext.ssl.keystore.type", SET, "PKCS12"),
            ("listener.name.plaintext.max.connections", SET, "5000"),
            ("leader.replication.throttled.rate", SET, "-1"),
            ("log.local.retention.ms", SET, "999999999999"),
            ("background.threads", SET, "11"),
            ("advertised.listeners", SET, "PLAINTEXT://x:1"),
            ("cordoned.log.dirs", SET, "/none"),
            ("unclean.leader.election.enable", SET, "perhaps"),
            ("message.max.bytes", SUBTRACT, "1"),
            ("log.cleaner.dedupe.buffer.size", SET, "1000"),
            ("transaction.partition.verification.enable", SET, "false"),
            ("num.io.threads", SET, "3"),
            ("num.network.threads", SET, "100"),
            ("num.network.threads", SET, "6"),
            ("background.threads", SET, "1"),
            ("num.replica.fetchers", SET, "3"),
            ("num.recovery.threads.per.data.dir", SET, "9"),
            ("remote.log.reader.threads", SET, "99"),
            ("remote.log.manager.follower.thread.pool.size", SET, "99"),
            ("log.local.retention.ms", SET, "-1"),
            ("log.local.retention.bytes", SET, "5"),
            ("cordoned.log.dirs", SET, "/none,/other"),
            ("metric.reporters", SET, "org.example.None"),
            ("metric.reporters", SET, "org.apache.kafka.common.metrics.JmxReporter"),
            ("metric.reporters", SET, ""),
            ("listeners", SET, ""),
            ("principal.builder.class", SET, "org.example.None"),
            ("max.connections", SET, "0"),
            ("max.connection.creation.rate", SET, "0"),
            ("max.connections.per.ip", SET, "0"),
            ("listener.name.plaintext.max.connections", SET, "0"),
            ("listener.name.plaintext.max.connections", SET, "-1"),
            ("listener.name.plaintext.max.connections", SET, "x"),
            ("listener.name.plaintext.max.connection.creation.rate", SET, "0"),
            ("listener.name.plaintext.num.network.threads", SET, "50"),
            ("listener.name.nobody.max.connections", SET, "0"),
            ("listener.name.plaintext.ssl.keystore.password", SET, "secret"),
            ("listener.security.protocol.map", SET, "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT"),
            ("remote.log.index.file.cache.total.size.bytes", SET, "0"),
            ("log.cleaner.io.buffer.size", SET, "-5"),
            ("log.cleaner.io.max.bytes.per.second", SET, "1000"),
            ("group.consumer.assignment.interval.ms", SET, "999999"),
            ("group.coordinator.cached.buffer.max.bytes", SET, "1"),
            ("producer.id.expiration.ms", SET, "0"),
            ("config.providers", SET, "x"),
            ("message.max.bytes", SET, "${env:NOBODY}"),
        ):
            yield f"'{name}' {key} {op} {value}", refused(
                alter(peer, BROKER, name, (key, op, value), validateOnly=True)
            )
    provider = "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
    for label, *changes in (
        ("two steps that are too large", ("num.io.threads", SET, "100"), ("num.network.threads", SET, "100")),
        ("no provider's class", ("config.providers", SET, "x"), ("config.providers.x.class", SET, "y.Z")),
        (
            "a variable that is not there",
            ("config.providers", SET, "env"),
            ("config.providers.env.class", SET, provider),
            ("message.max.bytes", SET, "${env:NOBODY-HAS-THIS}"),
        ),
    ):
        yield label, refused(alter(peer, BROKER, "1", *changes, validateOnly=True))
    for label, name in (
        ("negative", "-1"),
        ("with a sign", "+1"),
        ("with a zero", "01"),
        ("too large", "99999999999"),
        ("space", " 1"),
    ):
        yield f"name {label}", alter(peer, BROKER, name, ("log.cleaner.threads", SET, "2"), validateOnly=True)
    yield "replace with a read-only key", replace(
        peer, BROKER, "1", ("log.dirs", "/x"), ("log.retention.ms", "5"), validateOnly=True
    )
    yield "replace for all", replace(
        peer,
        BROKER,
        "",
        ("log.retention.ms", "7000000"),
        ("log.segment.bytes", "5000000"),
        ("min.insync.replicas", "1"),
    )
    wait_for(lambda: len(describe(peer, 4, BROKER, "")["results"][0]["configs"]) == 3, "three values")
    yield "then", describe(peer, 4, BROKER, "", includeSynonyms=True)
    yield from changed(peer, BROKER, "1", ("log.retention.ms", SET, "8000000"))
    yield from changed(
        peer,
        BROKER,
        "",
        ("log.flush.interval.messages", SET, "9"),
        ("leader.replication.throttled.rate", SET, "5"),
    )
    yield "unknown", alter(peer, BROKER, "1", ("my.secret", SET, "x"))
    yield "prefixed", alter(peer, BROKER, "1", ("listener.name.plaintext.max.connections", SET, "4999"))
    yield from changed(peer, BROKER, "1", ("background.threads", SET, "11"))
    topic = peer.create(peer.name("t"), retention_bytes=77)
    yield "topic", describe(peer, 4, TOPIC, topic, includeSynonyms=True)
    made = peer.must(
        "CreateTopics",
        7,
        timeoutMs=15000,
        topics=[
            {
                "name": peer.name("u"),
                "numPartitions": 1,
                "replicationFactor": 1,
                "configs": [{"name": "segment.bytes", "value": "6000000"}],
            }
        ],
    )
    yield "a new topic", made
    yield "the broker", describe(
        peer,
        4,
        BROKER,
        "1",
        [
            "log.retention.ms",
            "log.retention.hours",
            "log.segment.bytes",
            "my.secret",
            "listener.name.plaintext.max.connections",
            "max.connections",
            "log.flush.interval.messages",
            "leader.replication.throttled.rate",
        ],
        includeSynonyms=True,
        includeDocumentation=True,
    )
    secret = "listener.name.plaintext.ssl.keystore.password"
    yield from changed(peer, BROKER, "1", ("log.cleanup.policy", SET, "compact"))
    yield from changed(peer, BROKER, "", ("log.cleanup.policy", SET, "delete"))
    for label, name, *changes in (
        ("a secret", "1", (secret, SET, "x")),
        ("a part more", "1", ("log.cleanup.policy", APPEND, "delete")),
        ("the same part more", "1", ("log.cleanup.policy", APPEND, "delete")),
        ("a part less", "1", ("log.cleanup.policy", SUBTRACT, "compact")),
        ("a part less that is not there", "1", ("log.cleanup.policy", SUBTRACT, "compact")),
        ("null", "1", ("log.retention.ms", SET, None)),
        ("deleted", "1", ("log.retention.ms", DELETE, None)),
        ("deleted again", "1", ("log.retention.ms", DELETE, None)),
        ("not for all", "", (secret, SET, "x")),
        ("for all", "", ("log.retention.ms", SET, "9000000")),
        ("only validated", "", ("log.retention.ms", SET, "1")),
    ):
        yield label, alter(peer, BROKER, name, *changes, validateOnly=label == "only validated")
        time.sleep(0.3)  # the reference's broker hears of it later
        keys = ["log.retention.ms", "log.cleanup.policy", secret, "log.retention.hours"]
        for version in versions("DescribeConfigs"):
            if version in (1, 4):
                more = {"includeSynonyms": True}
                yield f"{label}, v{version}", describe(peer, version, BROKER, "1", keys, **more)
                yield f"{label}, v{version} all", describe(peer, version, BROKER, "", keys, **more)
    yield "a part more of a topic", alter(peer, TOPIC, topic, ("cleanup.policy", APPEND, "compact"))
    time.sleep(0.3)
    yield "the topic then", describe(peer, 4, TOPIC, topic, ["cleanup.policy"], includeSynonyms=True)
    yield "one less", alter(peer, BROKER, "", ("log.cleanup.policy", DELETE, None))
    yield "one emptied", replace(peer, BROKER, "1")
    yield "all emptied", alter(
        peer,
        BROKER,
        "",
        ("log.retention.ms", DELETE, None),
        ("log.segment.bytes", DELETE, None),
        ("log.flush.interval.messages", DELETE, None),
        ("leader.replication.throttled.rate", DELETE, None),
    )
    wait_for(lambda: len(describe(peer, 4, BROKER, "")["results"][0]["configs"]) == 1, "one value")
    yield "at the end", describe(peer, 4, BROKER, "", includeSynonyms=True)


@exchange(seconds=90, texts=True)
def topic_lists(peer):
    """Values of LIST keys, and texts of validation across keys."""
    topic = peer.create(peer.name("t"))
    for op in (SET, APPEND, SUBTRACT):
        for key, value in (
            ("cleanup.policy", ""),
            ("cleanup.policy", ","),
            ("cleanup.policy", "compact,compact"),
            ("cleanup.policy", " compact , delete "),
            ("cleanup.policy", "delete"),
            ("cleanup.policy", "none"),
            ("leader.replication.throttled.replicas", "*"),
            ("leader.replication.throttled.replicas", "0:1,1:1"),
            ("leader.replication.throttled.replicas", "x"),
            ("leader.replication.throttled.replicas", "*,0:1"),
            ("follower.replication.throttled.replicas", ""),
        ):
            yield f"{op} {key} '{value}'", alter(peer, TOPIC, topic, (key, op, value))
            settled(peer)
            yield f"{op} {key} '{value}' then", describe(
                peer, 4, TOPIC, topic, ["cleanup.policy", key], includeSynonyms=True
            )
        yield f"{op} back", replace(peer, TOPIC, topic)
    for pairs in (
        (("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")),
        (("remote.storage.enable", "true"),),
        (("local.retention.ms", "999999999999"),),
        (("local.retention.bytes", "5"), ("retention.bytes", "4")),
        (("compression.gzip.level", "0"),),
        (("compression.gzip.level", "-1"),),
        (("compression.zstd.level", "99"),),
        (("message.timestamp.type", "Never"),),
        (("segment.bytes", "1"),),
        (("max.message.bytes", "-1"),),
        (("segment.ms", "0"),),
        (("min.cleanable.dirty.ratio", "1.1"),),
        (("preallocate", "yes"),),
        (("internal.segment.bytes", "5"),),
        (("errors.ext.x", "1"),),
        (("retention.ms", "-2"),),
        (("", "1"),),
        (("retention.ms", " 5 "),),
        (("retention.ms", "5.0"),),
        (("retention.ms", "9223372036854775808"),),
        (("message.format.version", "3.0"),),
        (("unclean.leader.election.enable", "TRUE"),),
    ):
        yield f"{pairs}", replace(peer, TOPIC, topic, *pairs, validateOnly=True)
        configs = [{"name": n, "value": value} for n, value in pairs]
        made = peer.call(
            "CreateTopics",
            7,
            timeoutMs=15000,
            validateOnly=True,
            topics=[{"name": peer.name("n"), "numPartitions": 1, "replicationFactor": 1, "configs": configs}],
        )
        yield f"{pairs} at creation", made


@exchange(seconds=90, texts=True)
def several_at_once(peer):
    """A request with good and bad items: each has its own answer, in the order that was asked for."""
    a, b = peer.create(peer.name("a")), peer.create(peer.name("b"))
    one = lambda kind, name, key, value: {
        "resourceType": kind,
        "resourceName": name,
        "configs": [{"name": key, "configOperation": SET, "value": value}],  # noqa: E731
    }
    changes = [
        one(TOPIC, a, "retention.ms", "1"),
        one(TOPIC, peer.name("none"), "retention.ms", "1"),
        one(BROKER, "9", "x", "1"),
        one(LOGGER, "1", "none", "INFO"),
        one(GROUP, peer.name("g"), "no.such", "1"),
        one(TOPIC, b, "retention.ms", "x"),
        one(99, "x", "y", "z"),
        one(METRICS, "", "x", "1"),
        one(TOPIC, "", "retention.ms", "1"),
        one(TOPIC, "a b", "x", "1"),
        one(TOPIC, b, "retention.ms", "3"),
        one(0, "", "x", "1"),
    ]
    yield "incremental", peer.call("IncrementalAlterConfigs", 1, resources=changes)
    yield "incremental without the twins", peer.call(
        "IncrementalAlterConfigs", 1, resources=changes[:5] + changes[6:]
    )
    # Without the twins: to those in AlterConfigs the reference gives no answer at all.
    old = [
        {**c, "configs": [{k: v for k, v in e.items() if k != "configOperation"} for e in c["configs"]]}
        for c in changes
    ]
    yield "legacy", peer.call("AlterConfigs", 2, resources=old[:5] + old[6:])
    bad = {**changes[0], "configs": [{"name": "retention.ms", "configOperation": 9, "value": "1"}]}
    yield "one unknown operation", peer.call(
        "IncrementalAlterConfigs", 1, resources=[bad, changes[-2], changes[3]]
    )
    for v in versions("DescribeConfigs"):
        asked = [
            {"resourceType": k, "resourceName": n, "configurationKeys": ["retention.ms"]}
            for k, n in ((TOPIC, a), (TOPIC, "a b"), (BROKER, "9"), (TOPIC, b), (TOPIC, a), (GROUP, ""))
        ]
        yield f"v{v} described", peer.call("DescribeConfigs", v, resources=asked)
        asked.append({"resourceType": 7, "resourceName": "x", "configurationKeys": None})
        yield f"v{v} with an unknown type", peer.call("DescribeConfigs", v, resources=asked)


@exchange(seconds=90, texts=True)
def odd_topic_requests(peer):
    a, b = peer.create(peer.name("a"), 2), peer.create(peer.name("b"))
    ids = {n: peer.topic_id(n) for n in (a, b)}
    by_id = lambda *i: [{"name": None, "topicId": x} for x in i]  # noqa: E731
    for v in versions("Metadata"):
        if v < 12:
            continue
        for label, topics in (
            ("ids", by_id(ids[a], ids[b], ids[a])),
            ("id and nothing", by_id(ids[a], ZERO)),
            ("id and a name", by_id(ids[a]) + [{"name": b, "topicId": ZERO}]),
            ("name and nothing", [{"name": a}, {"name": None}]),
        ):
            yield f"metadata v{v} {label}", peer.call(
                "Metadata",
                v,
                topics=topics,
                allowAutoTopicCreation=False,
                includeTopicAuthorizedOperations=True,
            )
    for label, topics in (
        ("name twice", [{"name": a}, {"name": a}]),
        ("id twice", by_id(ids[a], ids[a])),
        ("name and its id", [{"name": a}] + by_id(ids[a])),
        ("bad name", [{"name": "a b"}]),
        ("empty name", [{"name": ""}]),
        ("internal", [{"name": "__cluster_metadata"}]),
    ):
        yield f"delete {label}", peer.call("DeleteTopics", 6, topics=topics, timeoutMs=15000)
    new = lambda name, **f: {"name": name, "numPartitions": 1, "replicationFactor": 1, **f}  # noqa: E731
    assign = lambda *rows: [{"partitionIndex": i, "brokerIds": list(r)} for i, r in rows]  # noqa: E731
    given = {"numPartitions": -1, "replicationFactor": -1}
    for v in (2, 5, 7):
        for label, topics in (
            ("too many partitions", [new(peer.name("many"), numPartitions=10001)]),
            ("unequal", [new(peer.name("x"), assignments=assign((0, [1]), (1, [])), **given)]),
            ("same partition twice", [new(peer.name("x"), assignments=assign((0, [1]), (0, [1])), **given)]),
            ("from one", [new(peer.name("x"), assignments=assign((1, [1])), **given)]),
            ("negative partition", [new(peer.name("x"), assignments=assign((-1, [1])), **given)]),
            ("metadata's name", [new("__cluster_metadata")]),
            (
                "two configs",
                [
                    new(
                        peer.name("x"),
                        configs=[{"name": "no.such", "value": "1"}, {"name": "retention.ms", "value": "x"}],
                    )
                ],
            ),
            (
                "two nulls",
                [new(peer.name("x"), configs=[{"name": "a", "value": None}, {"name": "b", "value": None}])],
            ),
        ):
            yield f"create v{v} {label}", peer.call(
                "CreateTopics", v, topics=topics, timeoutMs=15000, validateOnly=True
            )
    for label, topic in (
        ("too many", {"name": a, "count": 100002, "assignments": None}),
        ("empty name", {"name": "", "count": 2}),
        ("metadata", {"name": "__cluster_metadata", "count": 2}),
        ("bad name", {"name": "a b", "count": 2}),
    ):
        yield f"partitions {label}", peer.call(
            "CreatePartitions", 3, topics=[topic], timeoutMs=15000, validateOnly=True
        )
    for v in versions("OffsetForLeaderEpoch"):
        asked = {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 0}
        two = [
            {"topic": b, "partitions": [asked, {**asked, "partition": 7}]},
            {"topic": peer.name("none"), "partitions": [asked]},
        ]
        yield f"epochs v{v}", peer.call(
            "OffsetForLeaderEpoch", v, topics=two, **({"replicaId": -2} if v >= 3 else {})
        )
    wait_for(
        lambda: peer.must("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=1)["errorCode"]
        == 0,
        "an id",
    )
    for v in versions("InitProducerId"):
        more = {"producerId": 5, "producerEpoch": 1} if v >= 3 else {}
        half = {"producerId": 5, "producerEpoch": -1} if v >= 3 else {}
        for label, fields in (
            ("no name", {}),
            ("empty name", {"transactionalId": ""}),
            ("no timeout", {"transactionTimeoutMs": 0}),
            ("resumed", more),
            ("half", half),
        ):
            fields = {"transactionalId": None, "transactionTimeoutMs": 60000, **fields}
            yield f"producer id v{v} {label}", peer.call("InitProducerId", v, **fields)


@exchange(seconds=60, alone=True)
def dynamic_values_act(peer):
    """A dynamic value is not only shown."""
    topic, own = peer.create(peer.name("t")), peer.create(peer.name("own"), max_message_bytes=5000)
    record = batch([b"x" * 2000], now=1_700_000_000_000)

    def until(name, error):
        wait_for(
            lambda: peer.produce(name, record)["responses"][0]["partitionResponses"][0]["errorCode"] == error,
            f"{peer.kind}: error {error} of {name}",
            10,
        )
        return peer.produce(name, record)["responses"][0]["partitionResponses"][0]["errorCode"]

    yield "before", {"errorCode": until(topic, 0)}
    yield "smaller for all", alter(peer, BROKER, "", ("message.max.bytes", SET, "1000"))
    yield "then", {"errorCode": until(topic, 10)}
    yield "a topic's own value", {"errorCode": until(own, 0)}
    later = peer.create(peer.name("later"))
    yield "a new topic", {"errorCode": until(later, 10)}
    yield "larger for one", alter(peer, BROKER, "1", ("message.max.bytes", SET, "3000"))
    yield "larger then", {"errorCode": until(topic, 0)}
    yield "deleted for one", alter(peer, BROKER, "1", ("message.max.bytes", DELETE, None))
    yield "smaller again", {"errorCode": until(topic, 10)}
    yield "deleted", alter(peer, BROKER, "", ("message.max.bytes", DELETE, None))
    yield "as before", {"errorCode": until(topic, 0)}


CONFIGURED = {
    "delete.topic.enable": "false",
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    "log.retention.hours": "5",
    "log.retention.minutes": "200",
    "log.roll.hours": "9",
    "log.cleanup.policy": "compact, delete",
    "message.max.bytes": "2000000",
    "compression.type": "lz4",
    "my.own.key": "1",
    "listener.name.plaintext.max.connections": "900",
    "ssl.keystore.password": "secret",
    "group.consumer.session.timeout.ms": "50000",
    "max.request.partition.size.limit": "2",
    "broker.rack": "r1",
}


def of_configured_node(kind):
    """Answers of a node whose server.properties says a lot."""
    with Broker(kind, extra=CONFIGURED) as broker:
        broker.start()
        peer = Peer(kind, broker.bootstrap, "configured", texts=True)
        steps = {}
        given = {"numPartitions": -1, "replicationFactor": -1}
        steps["create"] = peer.must("CreateTopics", 7, topics=[{"name": "a", **given}], timeoutMs=15000)
        peer.ready("a", 3)
        for label, kind_, name in (("broker", BROKER, "1"), ("topic", TOPIC, "a"), ("group", GROUP, "g")):
            steps[label] = describe(peer, 4, kind_, name, includeSynonyms=True)
        for v in versions("DeleteTopics"):
            names = {"topicNames": ["a", "none"]} if v < 6 else {"topics": [{"name": "a"}, {"name": "none"}]}
            steps[f"delete v{v}"] = peer.must("DeleteTopics", v, timeoutMs=15000, **names)
        steps["no creation"] = peer.must("Metadata", 9, topics=[{"name": "new"}], allowAutoTopicCreation=True)
        steps["still none"] = peer.must("Metadata", 9, topics=[{"name": "new"}])
        steps["page"] = peer.must(
            "DescribeTopicPartitions", 0, topics=[{"name": "a"}], responsePartitionLimit=100
        )
        steps["cluster"] = peer.must("DescribeCluster", 2)
        peer.close()
        return {label: peer.normal(answer) for label, answer in steps.items()}


@case(seconds=120, needs=("java",))
def configured_node():
    lines = list(differences(of_configured_node("kafka"), of_configured_node("ottla")))
    check(not lines, "\n".join(lines))


def of_dynamic_quorum(kind):
    """What a node that was formatted with --standalone says of itself."""
    with Broker(kind) as broker:
        with open(broker.properties, encoding="utf-8") as f:
            lines = [s for s in f if not s.startswith("controller.quorum.voters")]
        with open(broker.properties, "w", encoding="utf-8") as f:
            f.writelines(
                lines + [f"controller.quorum.bootstrap.servers=127.0.0.1:{broker.controller_port}\n"]
            )
        broker.format(None, "--standalone")
        broker.start()
        peer = Peer(kind, broker.bootstrap, "dynamic")
        about = peer.must("ApiVersions", 4, clientSoftwareName="compat", clientSoftwareVersion="1")
        quorum = peer.must(
            "DescribeQuorum",
            2,
            topics=[{"topicName": "__cluster_metadata", "partitions": [{"partitionIndex": 0}]}],
        )
        peer.close()
        quorum["nodes"] = [{**n, "listeners": len(n["listeners"])} for n in quorum["nodes"]]
        for partition in quorum["topics"][0]["partitions"]:
            partition["highWatermark"] = partition["leaderEpoch"] = None
            for voter in partition["currentVoters"]:
                voter["logEndOffset"] = None
        features = {k: about[k] for k in ("supportedFeatures", "finalizedFeatures")}
        return peer.normal({"features": features, "quorum": quorum})


@case(seconds=90, needs=("java",))
def dynamic_quorum():
    lines = list(differences(of_dynamic_quorum("kafka"), of_dynamic_quorum("ottla")))
    check(not lines, "\n".join(lines))


if __name__ == "__main__":
    main()
