"""One directory, two brokers in turn: what Apache Kafka wrote, ottla serves unchanged and adds to, and Kafka
opens again and finds everything; and the same from a directory that ottla formatted. Part of it is `dump-log
--deep-iteration`, which reads every batch.
"""

import glob
import hashlib
import hmac
import os
import time

from exchange import Peer, differences
from lib.broker import Broker, reference
from lib.case import Failure, case, check, equal, main, run, wait_for
from lib.records import batch
import streams_group
from transactions_cases import Producer

NOW = int(time.time() * 1000) - 3_600_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TRANSACTIONAL = 0x10


def ok(answer, what):
    """No error code in an answer, at any depth."""

    def errors(value):
        if isinstance(value, dict):
            return [v for k, v in value.items() if k == "errorCode" and v] + [
                e for v in value.values() for e in errors(v)
            ]
        return [e for v in value for e in errors(v)] if isinstance(value, list) else []

    check(answer != "closed" and not errors(answer), f"{what}: {answer}")
    return answer


def fill_topics(peer, who, delete):
    """Topics with configurations; every codec; small segments, so that there are several with their
    indexes."""
    plain = peer.create(f"{who}-codecs", 3)
    small = peer.create(
        f"{who}-small-segments", 1, segment_bytes=1048576, retention_ms=604800000, index_interval_bytes=1024
    )
    compact = peer.create(f"{who}-compact", 2, cleanup_policy="compact", min_cleanable_dirty_ratio="0.9")
    append = peer.create(f"{who}-append-time", 1, message_timestamp_type="LogAppendTime")
    for i, codec in enumerate(CODECS):
        for j in range(4):
            values = [
                (
                    b"key-%d" % k,
                    b"%s-%d-%d " % (codec.encode(), j, k) + b"x" * 100,
                    [("codec", codec.encode())],
                )
                for k in range(20)
            ]
            ok(peer.produce(plain, batch(values, codec, now=NOW + i * 100 + j), j % 3), "produce")
    for i in range(25):
        ok(peer.produce(small, batch([b"%d" % i + b"y" * 100_000], now=NOW + i)), "produce")
    for i in range(10):
        ok(
            peer.produce(
                compact, batch([(b"k%d" % (i % 3), b"v%d" % i if i % 4 else None, ())], now=NOW + i), i % 2
            ),
            "produce",
        )
    ok(peer.produce(append, batch([b"when"], now=NOW)), "produce")
    if delete:
        places = [{"partitionIndex": 0, "offset": 7}]
        ok(
            peer.must("DeleteRecords", 2, timeoutMs=10000, topics=[{"name": plain, "partitions": places}]),
            "delete records",
        )
    return [plain, small, compact, append]


def fill_idempotent(peer, who):
    topic = peer.create(f"{who}-idempotent", 1)
    made = wait_for(
        lambda: loaded(peer.must("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=60000)),
        "a producer id",
    )
    for i in range(3):
        ok(
            peer.produce(
                topic,
                batch([b"i%d" % i], now=NOW, producerId=made["producerId"], producerEpoch=0, baseSequence=i),
            ),
            "produce",
        )
    return topic, made["producerId"]


def loaded(answer):
    return None if answer["errorCode"] in (14, 15, 16, 51) else answer


def fill_transactions(peer, who):
    """One committed, one aborted, interleaved with plain records."""
    topic, name = peer.create(f"{who}-transactions", 2), f"{who}-transactional-id"
    wait_for(lambda: peer.must("FindCoordinator", 3, key=name, keyType=1)["errorCode"] == 0, "a coordinator")
    for commit in (True, False, True):
        made = wait_for(
            lambda: loaded(peer.must("InitProducerId", 4, transactionalId=name, transactionTimeoutMs=60000)),
            "a producer",
        )
        ok(made, "InitProducerId")
        who_writes = {"producerId": made["producerId"], "producerEpoch": made["producerEpoch"]}
        added = wait_for(
            lambda w=who_writes: settled(
                peer.must(
                    "AddPartitionsToTxn",
                    3,
                    v3AndBelowTransactionalId=name,
                    **{
                        "v3AndBelowProducerId": w["producerId"],
                        "v3AndBelowProducerEpoch": w["producerEpoch"],
                        "v3AndBelowTopics": [{"name": topic, "partitions": [0, 1]}],
                    },
                )
            ),
            "partitions in the transaction",
        )
        check(added, "AddPartitionsToTxn")
        for p in (0, 1):
            ok(
                peer.produce(
                    topic,
                    batch(
                        [b"in a transaction %d" % commit] * 3,
                        now=NOW,
                        attributes=TRANSACTIONAL,
                        baseSequence=0,
                        **who_writes,
                    ),
                    p,
                    transactionalId=name,
                ),
                "produce",
            )
        ok(peer.produce(topic, batch([b"plain"], now=NOW), 0), "produce")
        ok(peer.must("EndTxn", 3, transactionalId=name, committed=commit, **who_writes), "EndTxn")
    wait_for(lambda: stable(peer, topic), "the markers")
    return topic


def settled(answer):
    return all(
        r["partitionErrorCode"] == 0
        for t in answer["resultsByTopicV3AndBelow"]
        for r in t["resultsByPartition"]
    )


def stable(peer, topic):
    places = [fetch(peer, topic, p) for p in (0, 1)]
    return all(p["highWatermark"] == p["lastStableOffset"] for p in places)


def fill_groups(peer, who, topics):
    group = f"{who}-group"
    wait_for(
        lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0
        and peer.must("OffsetFetch", 5, groupId=group, topics=[])["errorCode"] == 0,
        "the coordinator",
    )
    places = [
        {
            "name": t,
            "partitions": [{"partitionIndex": 0, "committedOffset": i + 1, "committedMetadata": f"note {i}"}],
        }
        for i, t in enumerate(topics)
    ]
    ok(
        peer.must("OffsetCommit", 8, groupId=group, generationIdOrMemberEpoch=-1, memberId="", topics=places),
        "commit",
    )
    ok(
        peer.must(
            "OffsetCommit",
            8,
            groupId=group + "-2",
            generationIdOrMemberEpoch=-1,
            memberId="",
            topics=places[:1],
        ),
        "commit",
    )
    return group


def fill_users(peer):
    """Quotas and SCRAM users: metadata that ottla keeps even where it does not serve it yet."""
    ok(
        peer.must(
            "AlterClientQuotas",
            1,
            entries=[
                {
                    "entity": [{"entityType": "user", "entityName": "alice"}],
                    "ops": [{"key": "producer_byte_rate", "value": 1048576.0, "remove": False}],
                }
            ],
        ),
        "quota",
    )
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", b"secret", salt, 4096)
    check(len(hmac.digest(salted, b"Client Key", "sha256")) == 32, "hmac")
    ok(
        peer.must(
            "AlterUserScramCredentials",
            0,
            deletions=[],
            upsertions=[
                {"name": "alice", "mechanism": 1, "iterations": 4096, "salt": salt, "saltedPassword": salted}
            ],
        ),
        "scram",
    )


def fetch(peer, topic, partition, offset=0, isolation=0):
    name = {"topicId": peer.topic_id(topic)}
    answer = ok_fetch(
        peer.must(
            "Fetch",
            16,
            maxWaitMs=100,
            minBytes=0,
            maxBytes=1 << 26,
            isolationLevel=isolation,
            topics=[
                {
                    **name,
                    "partitions": [
                        {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 26}
                    ],
                }
            ],
        )
    )
    return answer["responses"][0]["partitions"][0]


def ok_fetch(answer):
    check(answer["errorCode"] == 0, f"fetch: {answer['errorCode']}")
    return answer


def topic_state(peer, topic):
    """Everything of a topic that a client can see: partitions, configuration, offsets by every question,
    every byte."""
    described = peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)["topics"][0]
    state = {
        "metadata": {
            **described,
            "partitions": [
                {k: v for k, v in p.items() if k != "leaderEpoch"} for p in described["partitions"]
            ],
        }
    }
    configs = peer.must(
        "DescribeConfigs",
        4,
        resources=[{"resourceType": 2, "resourceName": topic, "configurationKeys": None}],
    )["results"][0]
    state["configs"] = sorted(
        [c["name"], c["value"], c["configSource"]] for c in configs["configs"] or [] if c["configSource"] == 1
    )
    for index in sorted(p["partitionIndex"] for p in described["partitions"]):
        asked = [{"partitionIndex": index, "timestamp": t} for t in (-2,)]
        offsets = {}
        for at in (-1, -2, -3, NOW, NOW + 101, NOW + 5):
            asked = [{"partitionIndex": index, "timestamp": at}]
            found = peer.must("ListOffsets", 7, replicaId=-1, topics=[{"name": topic, "partitions": asked}])[
                "topics"
            ][0]["partitions"][0]
            offsets[at] = [found["errorCode"], found["offset"], found["timestamp"]]
        state[f"offsets {index}"] = {str(k): v for k, v in offsets.items()}
        for isolation in (0, 1):
            data = fetch(peer, topic, index, offsets[-2][1], isolation)
            raw = data.pop("records") or b""
            aborted = sorted([a["producerId"], a["firstOffset"]] for a in data["abortedTransactions"] or [])
            state[f"data {index} isolation {isolation}"] = {
                "sha256": hashlib.sha256(raw).hexdigest(),
                "bytes": len(raw),
                "error": data["errorCode"],
                "aborted": aborted,
                "high watermark": data["highWatermark"],
                "last stable": data["lastStableOffset"],
                "start": data["logStartOffset"],
            }
    return state


def group_state(peer, group):
    wait_for(
        lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0
        and peer.must("OffsetFetch", 5, groupId=group, topics=[])["errorCode"] == 0,
        "the coordinator",
    )
    found = peer.must("OffsetFetch", 7, groupId=group, topics=None)
    return {
        "error": found["errorCode"],
        "offsets": sorted(
            [t["name"], p["partitionIndex"], p["committedOffset"], p["metadata"]]
            for t in found["topics"]
            for p in t["partitions"]
        ),
    }


def users_state(peer):
    scram = peer.must("DescribeUserScramCredentials", 0, users=None)["results"]
    quotas = peer.must("DescribeClientQuotas", 1, components=[], strict=False)["entries"]
    return {
        "scram": [[u["user"], u["credentialInfos"]] for u in scram],
        "quotas": [[q["entity"], q["values"]] for q in quotas],
    }


def state(peer, topics, groups):
    for t in topics:
        wait_for(lambda name=t: led(peer, name), f"leader of {t}")
    return {
        "topics": {t: topic_state(peer, t) for t in topics},
        "groups": {g: group_state(peer, g) for g in groups},
    }


def led(peer, topic):
    """A broker that just opened a directory leads its partitions once its metadata is caught up."""
    found = peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)["topics"][0]
    if found["errorCode"] or any(p["errorCode"] for p in found["partitions"]):
        return False
    peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)
    asked = [{"partitionIndex": p["partitionIndex"], "timestamp": -1} for p in found["partitions"]]
    answer = peer.must("ListOffsets", 5, replicaId=-1, topics=[{"name": topic, "partitions": asked}])
    return all(p["errorCode"] == 0 for p in answer["topics"][0]["partitions"])


def same(before, after, when):
    lines = [
        line.replace("kafka ", "before ").replace("here ", "after ") for line in differences(before, after)
    ]
    if lines:
        raise Failure(f"{when}: {len(lines)} differences\n" + "\n".join(lines[:30]))


def dump(broker):
    """Kafka's own reader over every segment, index and snapshot that a broker left."""
    for kind in ("log", "index", "timeindex", "txnindex", "snapshot"):
        files = [
            f
            for f in glob.glob(f"{broker.data}/*/*.{kind}")
            if "__cluster_metadata" not in f and os.path.getsize(f)
        ]
        if files:
            printed = run(
                reference.tool("dump-log", "--deep-iteration", "--files", ",".join(files)), seconds=120
            )
            wrong = [
                s
                for s in printed.splitlines()
                if "Found" in s
                or "mismatch" in s.lower()
                or "invalid" in s.lower()
                or "isvalid: false" in s.lower()
            ]
            equal(wrong, [], f"dump-log of {kind} files")
    metadata = sorted(glob.glob(f"{broker.data}/__cluster_metadata-0/*.log"))
    printed = run(
        reference.tool(
            "dump-log", "--cluster-metadata-decoder", "--skip-record-metadata", "--files", ",".join(metadata)
        )
    )
    check("Failed" not in printed and "ould not" not in printed, printed[-2000:])


class Life:
    """The brokers that open one directory in turn."""

    def __init__(self, broker):
        self.broker, self.topics, self.groups = broker, [], []

    def turn(self, kind, work):
        self.broker.start(kind)
        peer = Peer(kind, self.broker.bootstrap, "swap")
        try:
            return work(peer)
        except Failure as e:
            raise Failure(f"{kind}: {e}\n--- its log:\n{self.broker.log_tail(15)}") from None
        finally:
            peer.close()
            check(
                self.broker.stop(),
                f"{kind} did not stop cleanly: {self.broker.process.returncode}\n{self.broker.log_tail(15)}",
            )

    def fill(self, peer, who, transactions, delete=True):
        made = fill_topics(peer, who, delete)
        made.append(fill_idempotent(peer, who)[0])
        if transactions:
            made.append(fill_transactions(peer, who))
            fill_users(peer)
        self.topics += made
        self.groups += [fill_groups(peer, who, made), f"{who}-group-2"]

    def check_and_add(self, peer, before, who, transactions=False):
        """What was there is there; then more comes: to the old topics, to new ones, to old and new groups."""
        same(before, state(peer, self.topics, self.groups), f"{peer.kind} opens what was there")
        for topic in self.topics:
            values = [(b"added by", who.encode(), ())]
            ok(peer.produce(topic, batch(values, "lz4", now=NOW + 1000)), f"produce to {topic}")
        old = self.groups[0]
        ok(
            peer.must(
                "OffsetCommit",
                8,
                groupId=old,
                generationIdOrMemberEpoch=-1,
                memberId="",
                topics=[
                    {
                        "name": self.topics[0],
                        "partitions": [
                            {"partitionIndex": 2, "committedOffset": 33, "committedMetadata": who}
                        ],
                    }
                ],
            ),
            "commit",
        )
        self.fill(peer, who, transactions)
        return state(peer, self.topics, self.groups)


def under_test():
    return os.environ.get("BROKER", "ottla")


@case(seconds=240, needs=["java"])
def kafka_first():
    with Broker("kafka") as broker:
        life = Life(broker)

        def begin(peer):
            life.fill(peer, "kafka", True)
            return state(peer, life.topics, life.groups), users_state(peer)

        before, users = life.turn("kafka", begin)
        after = life.turn(under_test(), lambda peer: life.check_and_add(peer, before, "ottla", True))

        def again(peer):
            same(after, state(peer, life.topics, life.groups), "kafka opens it again")
            same(users, users_state(peer), "users and quotas")
            life.check_and_add(peer, after, "kafka2", True)

        dump(broker)
        life.turn("kafka", again)


@case(seconds=240, needs=["java"])
def ottla_first():
    with Broker(under_test()) as broker:
        broker.format()
        life = Life(broker)

        def begin(peer):
            life.fill(peer, "ottla", True)
            return state(peer, life.topics, life.groups)

        before = life.turn(under_test(), begin)
        dump(broker)
        after = life.turn("kafka", lambda peer: life.check_and_add(peer, before, "kafka", True))
        life.turn(
            under_test(),
            lambda peer: same(after, state(peer, life.topics, life.groups), "ottla opens it again"),
        )


@case(seconds=120, needs=["java"])
def kafka_after_a_kill():
    """What Kafka left without a clean stop, ottla recovers; what ottla left so, Kafka does. Where a log
    starts after DeleteRecords is in a checkpoint that Kafka writes once a minute, so none is made."""
    with Broker("kafka") as broker:
        life = Life(broker)
        broker.start("kafka")
        peer = Peer("kafka", broker.bootstrap, "swap")
        life.fill(peer, "kafka", True, False)
        before = state(peer, life.topics, life.groups)
        peer.close()
        broker.kill()
        broker.start(under_test())
        peer = Peer(under_test(), broker.bootstrap, "swap")
        same(before, state(peer, life.topics, life.groups), f"{under_test()} after the kill")
        life.fill(peer, "ottla", True, False)
        after = state(peer, life.topics, life.groups)
        peer.close()
        broker.kill()
        life.turn(
            "kafka", lambda p: same(after, state(p, life.topics, life.groups), "kafka after the second kill")
        )


class Open:
    """Transactions of both versions, with records in two partitions and offsets of a group, that are open while
    the directory changes hands."""

    def __init__(self):
        self.producers, self.sequence = {}, 0

    def of(self, peer, version):
        """The producer goes on with another broker as if nothing had happened."""
        made = Producer(peer, f"open-v{version}", timeout=600000)
        wait_for(lambda: made.state()["errorCode"] not in (14, 15, 16), "the state to be loaded")
        if version in self.producers:
            made.pid, made.epoch = self.producers[version]
        else:
            made.init()
        return made

    def begin(self, peer):
        topic = "open-transactions"
        if not self.producers:
            peer.create(topic, 2)
        for version in (1, 2):
            p = self.of(peer, version)
            group = f"open-group-{version}"
            if version == 1:
                wait_for(lambda p=p: settled(p.add(topic, 0, 1)), "partitions in the transaction")
                wait_for(
                    lambda p=p, g=group: peer.must("AddOffsetsToTxn", 3, groupId=g, **p.me())["errorCode"] == 0,
                    "offsets in the transaction",
                )
            self.write(peer, p, version, 0)
            group_ready(peer, group)
            place = {"partitionIndex": 0, "committedOffset": 7 + self.sequence, "committedMetadata": "open"}
            ok(
                peer.must(
                    "TxnOffsetCommit",
                    3 if version == 1 else 5,
                    groupId=group,
                    topics=[{"name": topic, "partitions": [place]}],
                    **p.me(),
                ),
                "offsets",
            )
            self.producers[version] = p.pid, p.epoch
        return self.seen(peer)

    def write(self, peer, p, version, sequence):
        for partition in (0, 1):
            answer = wait_for(
                lambda i=partition: p.patient(
                    p.produce(
                        "open-transactions",
                        b"sequence %d of %d" % (sequence, version),
                        v=9 if version == 1 else 12,
                        sequence=self.first(version) + sequence,
                        partition=i,
                    )["responses"][0]["partitionResponses"][0]
                ),
                "the last transaction's markers",
            )
            ok(answer, f"{peer.kind}: produce of version {version}")

    def first(self, version):
        """Sequences go on within an epoch."""
        return self.sequence if version == 1 else 0

    def go_on(self, peer, before, committed):
        """Another broker: everything is as it was; the transactions are written to, and end."""
        same(before, self.seen(peer), f"{peer.kind} opens open transactions")
        for version in (1, 2):
            p = self.of(peer, version)
            self.write(peer, p, version, 1)
            ended = wait_for(
                lambda p=p, v=version: p.patient(p.end(committed, v=4 if v == 1 else 5)), "the end"
            )
            equal(ended["errorCode"], 0, f"EndTxn {version}")
            p.settle()
            if version == 2:
                p.pid, p.epoch = ended["producerId"], ended["producerEpoch"]
            self.producers[version] = p.pid, p.epoch
        self.sequence += 2
        return self.seen(peer)

    def seen(self, peer):
        wait_for(lambda: led(peer, "open-transactions"), "leaders")
        states = [self.of(peer, v).state() for v in (1, 2)]
        for v in (1, 2):
            group_ready(peer, f"open-group-{v}")
        return {
            "topic": topic_state(peer, "open-transactions"),
            "states": [
                {k: s[k] for k in ("transactionState", "producerId", "producerEpoch", "topics")} for s in states
            ],
            "offsets": {v: group_state(peer, f"open-group-{v}") for v in (1, 2)},
            "unstable": {v: unstable(peer, f"open-group-{v}") for v in (1, 2)},
        }


def group_ready(peer, group):
    wait_for(
        lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0
        and peer.must("OffsetFetch", 5, groupId=group, topics=[])["errorCode"] == 0,
        "the group's coordinator",
    )


def unstable(peer, group):
    asked = [{"name": "open-transactions", "partitionIndexes": [0]}]
    answer = peer.must("OffsetFetch", 7, groupId=group, topics=asked, requireStable=True)
    return answer["topics"][0]["partitions"][0]["errorCode"]


def open_transactions(first, second):
    with Broker(first) as broker:
        if first != "kafka":
            broker.format()
        life, opened = Life(broker), Open()
        before = life.turn(first, opened.begin)
        equal([s["transactionState"] for s in before["states"]], ["Ongoing", "Ongoing"], "states")
        equal(before["unstable"], {1: 88, 2: 88}, "offsets are pending")

        def commit_and_begin(peer):
            after = opened.go_on(peer, before, True)
            equal([s["transactionState"] for s in after["states"]], ["CompleteCommit"] * 2, "states")
            check(all(o["offsets"] for o in after["offsets"].values()), f"offsets are there: {after}")
            return opened.begin(peer)

        between = life.turn(second, commit_and_begin)
        dump(broker)

        def abort(peer):
            after = opened.go_on(peer, between, False)
            equal([s["transactionState"] for s in after["states"]], ["CompleteAbort"] * 2, "states")
            return after

        last = life.turn(first, abort)
        life.turn(second, lambda peer: same(last, opened.seen(peer), f"{second} opens it last"))


@case(seconds=240, needs=["java"])
def open_transactions_of_kafka():
    open_transactions("kafka", under_test())


@case(seconds=240, needs=["java"])
def open_transactions_of_ottla():
    open_transactions(under_test(), "kafka")


class Tasks:
    """A streams group in the middle of handing tasks over: a has yet to give up what b waits for."""

    def __init__(self):
        self.kept = []

    def described(self, peer):
        def loaded():
            group = streams_group.describe(peer, "tasks")["groups"][0]
            return group if group["errorCode"] not in (14, 15, 16) else None

        group = wait_for(loaded, "the group")
        group["members"].sort(key=lambda m: m["memberId"])
        return {k: v for k, v in group.items() if k != "epochOfGroup"}

    def begin(self, peer):
        configs = [
            {"name": f"streams.{k}", "configOperation": 0, "value": "0"}
            for k in ("assignment.interval.ms", "initial.rebalance.delay.ms")
        ]
        resource = {"resourceType": 32, "resourceName": "tasks", "configs": configs}
        ok(peer.must("IncrementalAlterConfigs", 1, validateOnly=False, resources=[resource]), "settings")
        peer.create("tasks-in", 4)
        shape = streams_group.topology(streams_group.part("0", ["tasks-in"]))
        wait_for(lambda: peer.must("FindCoordinator", 1, key="tasks")["errorCode"] == 0, "a coordinator")
        wait_for(lambda: streams_group.beat(peer, "tasks", "x", 5)["errorCode"] == 69, "the group's partition")
        joined = lambda m: streams_group.enter(peer, "tasks", m, shape)  # noqa: E731
        first = wait_for(lambda: [a for a in [joined("a")] if a["errorCode"] == 0 and not a["status"]], "a")[0]
        ok(joined("b"), "b")
        everything = streams_group.tasks(s0=[0, 1, 2, 3])
        told = streams_group.beat(peer, "tasks", "a", first["memberEpoch"], active=everything)
        self.kept = told["activeTasks"][0]["partitions"]
        equal(len(self.kept), 2, "a keeps two")
        return self.described(peer)

    def go_on(self, peer, before):
        equal(self.described(peer), before, "the group")
        epochs = {m["memberId"]: m["memberEpoch"] for m in before["members"]}
        up = streams_group.beat(peer, "tasks", "a", epochs["a"], active=streams_group.tasks(s0=self.kept))
        equal((up["errorCode"], up["memberEpoch"]), (0, epochs["b"]), "a gave up")
        got = streams_group.beat(peer, "tasks", "b", epochs["b"], active=[])
        rest = [n for n in range(4) if n not in self.kept]
        equal(got["activeTasks"], streams_group.tasks(s0=rest), "b got them")
        after = self.described(peer)
        equal(after["groupState"], "Stable", "state")
        return after


def live_tasks(first, second):
    with Broker(first) as broker:
        if first != "kafka":
            broker.format()
        life, group = Life(broker), Tasks()
        before = life.turn(first, group.begin)
        after = life.turn(second, lambda peer: group.go_on(peer, before))
        dump(broker)
        life.turn(first, lambda peer: equal(group.described(peer), after, "the group at last"))


@case(seconds=200, needs=["java"])
def live_tasks_of_kafka():
    live_tasks("kafka", under_test())


@case(seconds=200, needs=["java"])
def live_tasks_of_ottla():
    live_tasks(under_test(), "kafka")


if __name__ == "__main__":
    main()
