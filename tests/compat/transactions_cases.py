"""InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit, WriteTxnMarkers, transactional
Produce, DescribeProducers, DescribeTransactions, ListTransactions, and what read_committed shows: as producers of
both transaction versions use them, with every wrong id, epoch and state."""

import time

from exchange import exchange
from lib.case import check, main, wait_for
from lib.records import batch, headers_of
from lib.wire import versions

NOW = 1_700_000_000_000
TRANSACTIONAL = 0x10
BUSY = (14, 15, 16, 51)  # loads, is looked for, is elsewhere; the last transaction's markers are being written


class Producer:
    """One transactional id and what its broker has given it."""

    def __init__(self, peer, name="id", timeout=60000):
        self.peer, self.id, self.timeout = peer, peer.name(name), timeout
        self.pid, self.epoch = -1, -1
        wait_for(self.found, "a transaction coordinator")
        wait_for(self.has_ids, "producer ids")

    def found(self):
        answer = self.peer.must("FindCoordinator", 4, keyType=1, coordinatorKeys=[self.id])
        return answer["coordinators"][0]["errorCode"] == 0

    def has_ids(self):
        """Id 0 would look like no id; and the reference fetches a block of them when it is first asked."""
        answer = self.peer.must("InitProducerId", 1, transactionalId=None, transactionTimeoutMs=1)
        return answer["errorCode"] == 0 and answer["producerId"] > 0

    def ask(self, v, **fields):
        """One InitProducerId; takes what it gives."""
        fields = {"transactionalId": self.id, "transactionTimeoutMs": self.timeout, **fields}
        answer = self.peer.call("InitProducerId", v, **fields)
        if answer["errorCode"] == 0:
            self.pid, self.epoch = answer["producerId"], answer["producerEpoch"]
        return answer

    def init(self, v=4, **fields):
        return wait_for(lambda: self.patient(self.ask(v, **fields)), "an initialized producer")

    @staticmethod
    def patient(answer):
        return None if answer.get("errorCode") in BUSY else answer

    def me(self):
        return {"transactionalId": self.id, "producerId": self.pid, "producerEpoch": self.epoch}

    def add(self, topic, *partitions, v=3, **wrong):
        me = {f"v3AndBelow{k[0].upper()}{k[1:]}": x for k, x in {**self.me(), **wrong}.items()}
        topics = [{"name": topic, "partitions": list(partitions or [0])}]
        return self.peer.call("AddPartitionsToTxn", v, v3AndBelowTopics=topics, **me)

    def end(self, committed=True, v=4, **wrong):
        return self.peer.call("EndTxn", v, committed=committed, **{**self.me(), **wrong})

    def state(self):
        return self.peer.must("DescribeTransactions", 0, transactionalIds=[self.id])["transactionStates"][0]

    def settle(self):
        """Waits for the markers."""
        wait_for(lambda: self.state()["transactionState"][:7] != "Prepare", "markers")

    def batch(self, *values, sequence=0, **wrong):
        own = {"producerId": self.pid, "producerEpoch": self.epoch, "baseSequence": sequence}
        return batch(list(values), now=NOW, **{**own, "attributes": TRANSACTIONAL, **wrong})

    def produce(self, topic, *values, v=9, sequence=0, partition=0, **wrong):
        records = self.batch(*values, sequence=sequence, **wrong)
        where = {"topicId": self.peer.topic_id(topic)} if v >= 13 else {"name": topic}
        data = [{**where, "partitionData": [{"index": partition, "records": records}]}]
        return self.peer.call(
            "Produce", v, acks=-1, timeoutMs=10000, transactionalId=self.id, topicData=data
        )


def fetch(peer, topic, isolation=1, offset=0, wait=0):
    """What a consumer is shown, batches as (first offset, control?, count)."""
    place = {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}
    answer = peer.call(
        "Fetch",
        11,
        maxWaitMs=wait,
        minBytes=1 if wait else 0,
        maxBytes=1 << 20,
        isolationLevel=isolation,
        sessionEpoch=-1,
        topics=[{"topic": topic, "partitions": [place]}],
    )
    for t in answer["responses"]:
        for p in t["partitions"]:
            batches = headers_of(p.pop("records") or b"")
            p["batches"] = [(h["baseOffset"], h["attributes"], h["count"]) for h, _ in batches]
    return answer


def latest(peer, topic, isolation):
    asked = [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}]
    return peer.call("ListOffsets", 7, replicaId=-1, isolationLevel=isolation, topics=asked)


@exchange(seconds=90)
def init_producer_id(peer):
    for v in versions("InitProducerId"):
        p = Producer(peer, f"v{v}")
        wait_for(lambda p=p: p.state()["errorCode"] not in BUSY, "the state to be loaded")
        yield f"v{v} null id", peer.call("InitProducerId", v, transactionalId=None, transactionTimeoutMs=1)
        yield f"v{v} empty id", p.ask(v, transactionalId="")
        for timeout in (0, -1, 900001, 2147483647):
            yield f"v{v} timeout {timeout}", p.ask(v, transactionTimeoutMs=timeout)
        yield f"v{v} new", p.ask(v)
        yield f"v{v} described", p.state()
        yield f"v{v} again", p.ask(v, transactionTimeoutMs=1000)
        yield f"v{v} described again", p.state()
        if v < 3:
            continue
        me = {"producerId": p.pid, "producerEpoch": p.epoch}
        yield f"v{v} with its epoch", p.ask(v, **me)
        yield f"v{v} the same once more", p.ask(v, **me)
        yield f"v{v} with an old epoch", p.ask(v, producerId=me["producerId"], producerEpoch=0)
        yield f"v{v} with a later epoch", p.ask(v, producerId=me["producerId"], producerEpoch=99)
        yield f"v{v} with another id", p.ask(v, producerId=me["producerId"] + 77777, producerEpoch=0)
        yield f"v{v} id only", p.ask(v, producerId=5)
        yield f"v{v} epoch only", p.ask(v, producerEpoch=5)
        other = Producer(peer, f"fresh{v}")
        yield f"v{v} fresh with an epoch", other.ask(v, producerId=123456, producerEpoch=7)
        yield f"v{v} null id with an epoch", peer.call(
            "InitProducerId", v, transactionalId=None, transactionTimeoutMs=1, producerId=3, producerEpoch=3
        )


@exchange(seconds=60)
def init_fences(peer):
    """A second producer of the same id aborts the first one's transaction."""
    topic = peer.create(peer.name("t"))
    for v in versions("InitProducerId"):
        p = Producer(peer, f"v{v}")
        p.init(v)
        yield f"v{v} added", p.add(topic)
        yield f"v{v} written", p.produce(topic, b"one")
        old = dict(p.me())
        yield f"v{v} second", p.ask(v)
        p.settle()
        yield f"v{v} second again", p.init(v)
        yield f"v{v} described", p.state()
        yield f"v{v} first adds", p.add(topic, **old)
        yield f"v{v} first ends", p.end(**old)
        yield f"v{v} first ends as v1", p.end(v=1, **old)
        yield f"v{v} first writes", p.produce(
            topic, b"two", sequence=1, producerEpoch=old["producerEpoch"]
        )
        yield f"v{v} what is there", fetch(peer, topic)


@exchange(seconds=60)
def add_partitions(peer):
    topic, other = peer.create(peer.name("t"), 3), peer.create(peer.name("other"))
    for v in range(0, 4):
        p = Producer(peer, f"v{v}")
        yield f"v{v} unknown id", p.add(topic, v=v, transactionalId=peer.name("nobody"))
        yield f"v{v} empty id", p.add(topic, v=v, transactionalId="")
        p.init()
        yield f"v{v} wrong id", p.add(topic, v=v, producerId=p.pid + 1000)
        yield f"v{v} old epoch", p.add(topic, v=v, producerEpoch=p.epoch - 1)
        yield f"v{v} later epoch", p.add(topic, v=v, producerEpoch=p.epoch + 1)
        yield f"v{v} unknown partition", p.add(topic, 0, 9, v=v)
        yield f"v{v} unknown topic", p.add(peer.name("none"), 0, v=v)
        yield f"v{v} no partitions", p.peer.call(
            "AddPartitionsToTxn",
            v,
            v3AndBelowTransactionalId=p.id,
            v3AndBelowProducerId=p.pid,
            v3AndBelowProducerEpoch=p.epoch,
            v3AndBelowTopics=[],
        )
        yield f"v{v} state before", p.state()
        yield f"v{v} two", p.add(topic, 2, 0, v=v)
        yield f"v{v} one of them again", p.add(topic, 2, v=v)
        yield f"v{v} twice the same", p.add(topic, 1, 1, v=v)
        yield f"v{v} other topic", p.add(other, 0, v=v)
        yield f"v{v} state", p.state()
        yield f"v{v} end", p.end()
        p.settle()
        yield f"v{v} state after", p.state()
        yield f"v{v} the next one", p.add(topic, 1, v=v)
        yield f"v{v} state of the next", p.state()
        yield f"v{v} aborted", p.end(False)


@exchange(seconds=60)
def add_partitions_as_broker(peer):
    topic = peer.create(peer.name("t"), 3)
    for v in range(4, versions("AddPartitionsToTxn").stop):
        p, q = Producer(peer, f"v{v}"), Producer(peer, f"second{v}")
        p.init()
        q.init()

        def ask(*transactions, v=v):
            return peer.call("AddPartitionsToTxn", v, transactions=list(transactions))

        def one(p, *partitions, topic=topic, **more):
            topics = [{"name": topic, "partitions": list(partitions)}]
            return {**p.me(), "topics": topics, **more}

        yield f"v{v} verify in Empty", ask(one(p, 0, verifyOnly=True))
        yield f"v{v} two", ask(one(p, 0, 1), one(q, 2))
        yield f"v{v} verified", ask(one(p, 0, 1, 2, verifyOnly=True), one(q, 2, verifyOnly=True))
        yield f"v{v} one is wrong", ask(one(p, 2, producerEpoch=9), one(q, 0))
        yield f"v{v} verify wrong epoch", ask(one(p, 0, verifyOnly=True, producerEpoch=9))
        yield f"v{v} verify wrong id", ask(one(p, 0, verifyOnly=True, producerId=p.pid + 999))
        yield f"v{v} verify unknown", ask(one(p, 0, verifyOnly=True, transactionalId=peer.name("nobody")))
        yield f"v{v} verify empty", ask(one(p, 0, verifyOnly=True, transactionalId=""))
        yield f"v{v} unknown partition", ask(one(p, 0, 9), one(q, 1))
        yield f"v{v} unknown topic", ask(one(p, 0, topic=peer.name("none"), verifyOnly=True))
        yield f"v{v} states", [p.state(), q.state()]
        p.end()
        q.end(False)


@exchange(seconds=60)
def add_offsets(peer):
    group = peer.name("g")
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    for v in versions("AddOffsetsToTxn"):
        p = Producer(peer, f"v{v}")

        def ask(v=v, p=p, **wrong):
            return peer.call("AddOffsetsToTxn", v, **{**p.me(), "groupId": group, **wrong})

        yield f"v{v} unknown id", ask(transactionalId=peer.name("nobody"), producerId=1, producerEpoch=0)
        yield f"v{v} empty id", ask(transactionalId="")
        p.init()
        yield f"v{v} wrong id", ask(producerId=p.pid + 1000)
        yield f"v{v} wrong epoch", ask(producerEpoch=p.epoch + 1)
        yield f"v{v} good", ask()
        yield f"v{v} again", ask()
        yield f"v{v} state", p.state()
        yield f"v{v} end", p.end()
        p.settle()
        yield f"v{v} state after", p.state()


@exchange(seconds=60)
def end_txn_version_1(peer):
    """The epoch stays: the state alone says what may be."""
    topic = peer.create(peer.name("t"))
    for v in range(0, 5):
        p = Producer(peer, f"v{v}")
        yield f"v{v} unknown id", p.end(v=v, transactionalId=peer.name("nobody"))
        yield f"v{v} empty id", p.end(v=v, transactionalId="")
        p.init()
        yield f"v{v} in Empty", p.end(v=v)
        yield f"v{v} abort in Empty", p.end(False, v=v)
        yield f"v{v} wrong id", p.end(v=v, producerId=p.pid + 1000)
        yield f"v{v} old epoch", p.end(v=v, producerEpoch=p.epoch - 1)
        yield f"v{v} later epoch", p.end(v=v, producerEpoch=p.epoch + 1)
        for committed in (True, False):
            p.add(topic)
            yield f"v{v} {committed}", p.end(committed, v=v)
            p.settle()
            yield f"v{v} {committed} state", p.state()
            yield f"v{v} {committed} again", p.end(committed, v=v)
            yield f"v{v} {committed} and the other", p.end(not committed, v=v)
            yield f"v{v} {committed} state after", p.state()


@exchange(seconds=60)
def end_txn_version_2(peer):
    """An epoch a transaction: what is repeated is known as such."""
    topic = peer.create(peer.name("t"))
    v = 5
    for committed in (True, False):
        p = Producer(peer, f"{committed}")
        yield f"{committed} unknown id", p.end(v=v, transactionalId=peer.name("nobody"))
        p.init()
        yield f"{committed} commit in Empty", p.end(v=v)
        yield f"{committed} wrong id", p.end(v=v, producerId=p.pid + 1000)
        yield f"{committed} old epoch", p.end(v=v, producerEpoch=p.epoch - 1)
        yield f"{committed} later epoch", p.end(v=v, producerEpoch=p.epoch + 1)
        yield f"{committed} implicit add", p.produce(topic, b"one", v=12)
        yield f"{committed} state", p.state()
        yield f"{committed} end", p.end(committed, v=v)
        p.settle()
        yield f"{committed} described", p.state()
        yield f"{committed} again", p.end(committed, v=v)
        yield f"{committed} the other, again", p.end(not committed, v=v)
        old = p.epoch
        p.epoch += 1
        yield f"{committed} next commit without anything", p.end(v=v)
        yield f"{committed} late record", p.produce(topic, b"late", v=12, sequence=1, producerEpoch=old)
        yield f"{committed} next record", p.produce(topic, b"two", v=12)
        yield f"{committed} late end ends nothing", p.end(committed, v=v, producerEpoch=old)
        yield f"{committed} still open", p.state()
        yield f"{committed} end of the next", p.end(not committed, v=v)
        p.settle()
        p.epoch += 1
        yield f"{committed} abort of nothing", p.end(False, v=v)
        p.settle()
        yield f"{committed} state of nothing", p.state()
        yield f"{committed} abort of nothing, again", p.end(False, v=v)
        p.epoch += 1
        yield f"{committed} what is there", fetch(peer, topic)
        yield f"{committed} all", fetch(peer, topic, 0)
        empty = Producer(peer, f"empty-{committed}")
        empty.init()
        yield f"{committed} abort in Empty", empty.end(False, v=v)
        empty.settle()
        yield f"{committed} state after it", empty.state()


@exchange(seconds=90)
def transactional_produce(peer):
    topic = peer.create(peer.name("t"), 2)
    for v in range(3, versions("Produce").stop):
        p = Producer(peer, f"v{v}")
        p.init()
        if v < 12:
            yield f"v{v} not added", p.produce(topic, b"x", v=v)
            p.add(topic, 0, 1)
        yield f"v{v} good", p.produce(topic, b"one", b"two", v=v)
        yield f"v{v} again", p.produce(topic, b"one", b"two", v=v)
        yield f"v{v} next", p.produce(topic, b"three", v=v, sequence=2)
        yield f"v{v} gap", p.produce(topic, b"five", v=v, sequence=9)
        yield f"v{v} old epoch", p.produce(topic, b"x", v=v, sequence=3, producerEpoch=p.epoch - 1)
        yield f"v{v} later epoch", p.produce(topic, b"x", v=v, producerEpoch=p.epoch + 1)
        yield f"v{v} other id", p.produce(topic, b"x", v=v, producerId=p.pid + 5000)
        yield f"v{v} not transactional", p.produce(topic, b"x", v=v, sequence=3, attributes=0)
        where = {"topicId": peer.topic_id(topic)} if v >= 13 else {"name": topic}
        parts = [{"index": 0, "records": p.batch(b"x", sequence=3)}, {"index": 1, "records": batch([b"y"], now=NOW)}]
        yield f"v{v} no transactional id", peer.call(
            "Produce", v, acks=-1, timeoutMs=5000, topicData=[{**where, "partitionData": parts}]
        )
        other = p.batch(b"x", sequence=0, producerId=p.pid + 1)
        parts = [{"index": 0, "records": p.batch(b"x", sequence=3)}, {"index": 1, "records": other}]
        yield f"v{v} two producers", peer.call(
            "Produce",
            v,
            acks=-1,
            timeoutMs=5000,
            transactionalId=p.id,
            topicData=[{**where, "partitionData": parts}],
        )
        yield f"v{v} empty id", peer.call(
            "Produce",
            v,
            acks=-1,
            timeoutMs=5000,
            transactionalId="",
            topicData=[{**where, "partitionData": [{"index": 1, "records": p.batch(b"x")}]}],
        )
        yield f"v{v} second partition", p.produce(topic, b"one", v=v, partition=1)
        yield f"v{v} state", p.state()
        yield f"v{v} end", p.end(v % 2 == 0, v=5 if v >= 12 else 4)
        p.settle()
        yield f"v{v} after the end", p.produce(topic, b"late", v=v, sequence=3)
        yield f"v{v} what is there", fetch(peer, topic)


@exchange(seconds=60)
def read_committed(peer):
    """Last stable offset, aborted transactions, and a fetch that waits for a marker."""
    topic = peer.create(peer.name("t"), segment_bytes=1048576)
    a, b = Producer(peer, "a"), Producer(peer, "b")
    a.init()
    b.init()
    for p in (a, b):
        p.add(topic)
    yield "a writes", a.produce(topic, b"a0", b"a1")
    yield "b writes", b.produce(topic, b"b0")
    yield "without one", peer.produce(topic, batch([b"plain"], now=NOW))
    for isolation in (0, 1):
        yield f"open {isolation}", fetch(peer, topic, isolation)
        yield f"latest {isolation}", latest(peer, topic, isolation)
    yield "b aborts", b.end(False)
    b.settle()
    yield "b is over", fetch(peer, topic)
    yield "latest then", latest(peer, topic, 1)
    waiting = peer.connect()
    place = {"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}
    waiting.send(
        "Fetch",
        11,
        maxWaitMs=10000,
        minBytes=1,
        maxBytes=1 << 20,
        isolationLevel=1,
        sessionEpoch=-1,
        topics=[{"topic": topic, "partitions": [place]}],
    )
    time.sleep(0.3)
    began = time.monotonic()
    yield "a commits", a.end()
    answer = waiting.receive()
    check(time.monotonic() - began < 5, "a fetch that waits is woken by the marker")
    part = answer["responses"][0]["partitions"][0]
    part["records"] = len(list(headers_of(part["records"])))
    yield "the fetch that waited", answer
    yield "all", fetch(peer, topic)
    yield "from the middle", fetch(peer, topic, offset=3)
    yield "uncommitted", fetch(peer, topic, 0)
    yield "latest at last", latest(peer, topic, 1)


@exchange(seconds=60)
def over_segments(peer):
    """A transaction that is aborted over several segments, another one that is committed between: from each offset
    the aborted ones that a reader has to know."""
    topic = peer.create(peer.name("t"), segment_bytes=1048576)
    a, b = Producer(peer, "a"), Producer(peer, "b")
    for p in (a, b):
        p.init()
        p.add(topic)
    big = b"x" * 400_000
    for i in range(6):
        yield f"a {i}", a.produce(topic, big, sequence=i)
        if i in (1, 3):
            yield f"b {i}", b.produce(topic, b"b", sequence=i // 2)
    yield "b commits", b.end()
    b.settle()
    yield "open", fetch(peer, topic, offset=2)
    yield "a aborts", a.end(False)
    a.settle()
    for again in range(3):
        a.add(topic)
        yield f"more {again}", a.produce(topic, b"more", big, sequence=6 + 2 * again)
        yield f"ends {again}", a.end(again == 1)
        a.settle()
    for offset in range(0, 22):
        yield f"from {offset}", fetch(peer, topic, offset=offset)
    yield "latest", latest(peer, topic, 1)


@exchange(seconds=90, alone=True)
def feature_levels(peer):
    """transaction.version decides how a producer is fenced."""
    topic = peer.create(peer.name("t"))

    def set_level(level, kind):
        update = {"feature": "transaction.version", "maxVersionLevel": level, "upgradeType": kind}
        answer = peer.call("UpdateFeatures", 1, timeoutMs=10000, featureUpdates=[update])
        check(answer["errorCode"] == 0, f"{peer.kind}: {answer}")

        def seen():
            found = peer.must("ApiVersions", 3, clientSoftwareName="test", clientSoftwareVersion="1")
            levels = {f["name"]: f["maxVersionLevel"] for f in found["finalizedFeatures"]}
            return levels.get("transaction.version", 0) == level

        wait_for(seen, f"transaction.version {level}")

    try:
        for level in (1, 0, 2):
            set_level(level, 1 if level == 2 else 2)
            for v in (4, 5):
                p = Producer(peer, f"level{level}-v{v}")
                yield f"{level} v{v} init", p.init()
                if v == 4:
                    yield f"{level} v{v} add", p.add(topic)
                yield f"{level} v{v} write", p.produce(topic, b"one", v=9 if v == 4 else 12)
                if (level, v) == (0, 5):
                    continue  # refused; and the reference's id is stuck then
                yield f"{level} v{v} state", p.state()
                yield f"{level} v{v} end", p.end(v=v)
                p.settle()
                yield f"{level} v{v} ended", p.state()
                p.epoch += v == 5
                if v == 4:
                    p.add(topic)
                yield f"{level} v{v} write more", p.produce(topic, b"two", v=9 if v == 4 else 12, sequence=v == 4)
                yield f"{level} v{v} fence", p.ask(4)
                p.settle()
                yield f"{level} v{v} fenced", p.state()
                yield f"{level} v{v} init again", p.init()
    finally:
        set_level(2, 1)


@exchange(seconds=90)
def txn_offset_commit(peer):
    topic = peer.create(peer.name("t"), 2)
    for v in versions("TxnOffsetCommit"):
        group = peer.name(f"g{v}")
        wait_for(lambda g=group: peer.must("FindCoordinator", 1, key=g)["errorCode"] == 0, "a coordinator")
        p = Producer(peer, f"v{v}")
        p.init()

        def commit(*offsets, v=v, p=p, group=group, topic=topic, metadata="m", **wrong):
            parts = [
                {"partitionIndex": i, "committedOffset": o, "committedMetadata": metadata} for i, o in offsets
            ]
            return peer.call(
                "TxnOffsetCommit",
                v,
                **{**p.me(), "groupId": group, "topics": [{"name": topic, "partitions": parts}], **wrong},
            )

        def fetched(stable, group=group):
            asked = [{"name": topic, "partitionIndexes": [0, 1]}]
            groups = [{"groupId": group, "topics": asked}]
            return peer.call("OffsetFetch", 8, groups=groups, requireStable=stable)

        wait_for(lambda f=fetched: f(False)["groups"][0]["errorCode"] == 0, "the group's partition")
        if v < 5:
            yield f"v{v} not added", commit((0, 5))
            yield f"v{v} add", peer.call("AddOffsetsToTxn", 3, groupId=group, **p.me())
        yield f"v{v} good", commit((0, 5))
        yield f"v{v} more", commit((0, 6), (1, 7))
        yield f"v{v} long metadata", commit((0, 8), metadata="x" * 5000)
        yield f"v{v} null metadata", commit((1, 8), metadata=None)
        yield f"v{v} unknown partition", commit((0, 6), (9, 1))
        yield f"v{v} unknown topic", commit((0, 6), topic=peer.name("none"))
        yield f"v{v} old epoch", commit((0, 6), producerEpoch=p.epoch - 1)
        yield f"v{v} later epoch", commit((0, 6), producerEpoch=p.epoch + 1)
        yield f"v{v} other id", commit((0, 6), producerId=p.pid + 1000)
        yield f"v{v} empty group", commit((0, 6), groupId="")
        yield f"v{v} nothing", commit(topics=[])
        if v >= 3:
            yield f"v{v} generation", commit((0, 6), generationId=4, memberId="nobody")
            yield f"v{v} member", commit((0, 6), memberId="nobody")
            yield f"v{v} instance", commit((0, 6), groupInstanceId="nobody")
        yield f"v{v} state", p.state()
        yield f"v{v} before", fetched(False)
        yield f"v{v} before, stable", fetched(True)
        yield f"v{v} end", p.end(v != 4, v=5 if v >= 5 else 4)
        p.settle()
        yield f"v{v} after", wait_for(
            lambda f=fetched: (lambda a: None if "88" in str(codes(a)) else a)(f(True)), "stable offsets"
        )


def codes(answer):
    return [p["errorCode"] for g in answer["groups"] for t in g["topics"] for p in t["partitions"]]


@exchange(seconds=60)
def offsets_of_members(peer):
    """A member of a classic group commits within a transaction."""
    from groups_cases import first_member  # pylint: disable=import-outside-toplevel

    topic, group = peer.create(peer.name("t")), peer.name("g")
    joined, _ = first_member(peer, 5, group)
    p = Producer(peer)
    p.init()
    yield "add", peer.call("AddOffsetsToTxn", 3, groupId=group, **p.me())

    def commit(**wrong):
        parts = [{"partitionIndex": 0, "committedOffset": 3, "committedMetadata": ""}]
        return peer.call(
            "TxnOffsetCommit",
            3,
            **{**p.me(), "groupId": group, "topics": [{"name": topic, "partitions": parts}], **wrong},
        )

    me, generation = joined["memberId"], joined["generationId"]
    yield "as nobody", commit()
    yield "as member", commit(memberId=me, generationId=generation)
    yield "old generation", commit(memberId=me, generationId=generation - 1)
    yield "other member", commit(memberId="other", generationId=generation)
    yield "unknown instance", commit(memberId=me, generationId=generation, groupInstanceId="i")
    yield "aborted", p.end(False)
    p.settle()
    groups = [{"groupId": group, "topics": None}]
    yield "nothing is committed", peer.call("OffsetFetch", 8, groups=groups, requireStable=True)


@exchange(seconds=60)
def list_and_describe(peer):
    topic = peer.create(peer.name("t"))
    ids = [Producer(peer, name) for name in ("one", "two", "three")]
    for p in ids:
        p.init()
    ids[0].add(topic)
    ids[1].add(topic)
    ids[1].end()
    ids[1].settle()

    def listed(v, **filters):
        answer = peer.call("ListTransactions", v, **filters)
        states = answer["transactionStates"]
        answer["transactionStates"] = [s for s in states if s["transactionalId"].startswith(peer.prefix)]
        return answer

    for v in versions("ListTransactions"):
        yield f"v{v} all", listed(v)
        for states in (["Ongoing"], ["Empty", "CompleteCommit"], ["Dead"], ["Nonsense", "Ongoing"], ["nonsense"]):
            yield f"v{v} {states}", listed(v, stateFilters=states)
        yield f"v{v} producers", listed(v, producerIdFilters=[ids[0].pid, ids[2].pid, 99999999])
        yield f"v{v} both", listed(v, producerIdFilters=[ids[0].pid], stateFilters=["Empty"])
        if v >= 1:
            yield f"v{v} short", listed(v, durationFilter=0)
            yield f"v{v} long", listed(v, durationFilter=1000000, stateFilters=["Ongoing"])
            yield f"v{v} negative", listed(v, durationFilter=-5)
        if v >= 2:
            for pattern in (".*one", "one", "", ".*(two|three)", "(", "(?=x)", peer.prefix + "-t.*"):
                yield f"v{v} pattern {pattern}", listed(v, transactionalIdPattern=pattern)
    for v in versions("DescribeTransactions"):
        for names in ([], [p.id for p in ids], [peer.name("nobody"), ""], [ids[0].id, ids[0].id]):
            answer = peer.call("DescribeTransactions", v, transactionalIds=names)
            yield f"v{v} {len(names)}", answer
    ids[0].end(False)


@exchange(seconds=60)
def describe_producers(peer):
    topic = peer.create(peer.name("t"), 2)
    p = Producer(peer)
    p.init()
    p.add(topic)
    for v in versions("DescribeProducers"):

        def ask(*partitions, topic=topic, v=v):
            return peer.call(
                "DescribeProducers", v, topics=[{"name": topic, "partitionIndexes": list(partitions)}]
            )

        yield f"v{v} none", peer.call("DescribeProducers", v, topics=[])
        yield f"v{v} nobody", ask(0, 1)
        yield f"v{v} unknown", ask(7, -1)
        yield f"v{v} unknown topic", ask(0, topic=peer.name("none"))
        yield f"v{v} bad topic", ask(0, topic="a b")
        p.produce(topic, b"one", b"two")
        yield f"v{v} open", ask(0, 0)
        p.end()
        p.settle()
        yield f"v{v} ended", ask(0)


@exchange(seconds=60)
def write_txn_markers(peer):
    topic = peer.create(peer.name("t"), 2)
    for v in versions("WriteTxnMarkers"):
        p = Producer(peer, f"v{v}")
        p.init()
        p.add(topic)
        p.produce(topic, b"one")

        def mark(*markers, v=v):
            return peer.call("WriteTxnMarkers", v, markers=list(markers))

        def one(*partitions, topic=topic, p=p, committed=False, coordinator=5, **more):
            return {
                "producerId": p.pid,
                "producerEpoch": p.epoch,
                "transactionResult": committed,
                "topics": [{"name": topic, "partitionIndexes": list(partitions)}],
                "coordinatorEpoch": coordinator,
                **more,
            }

        yield f"v{v} none", mark()
        yield f"v{v} unknown partition", mark(one(9))
        yield f"v{v} unknown topic", mark(one(0, topic=peer.name("none")))
        yield f"v{v} no topics", mark({**one(0), "topics": []})
        yield f"v{v} old epoch", mark(one(0, producerEpoch=-1))
        yield f"v{v} open before", fetch(peer, topic)
        yield f"v{v} abort", mark(one(0))
        yield f"v{v} open after", fetch(peer, topic)
        yield f"v{v} again", mark(one(0))
        yield f"v{v} old coordinator", mark(one(0, coordinator=4))
        yield f"v{v} to a partition without it", mark(one(1, committed=True))
        yield f"v{v} two", mark(one(0, coordinator=6), one(0, 1, 9, coordinator=7))
        yield f"v{v} offsets", mark(one(0, topic="__consumer_offsets"))
        if v >= 2:
            q = Producer(peer, f"bump{v}")
            q.init()
            q.produce(topic, b"x", v=12)
            yield f"v{v} same epoch in version 2", mark(one(0, p=q, transactionVersion=2))
            yield f"v{v} next epoch in version 2", mark(
                one(0, p=q, transactionVersion=2, producerEpoch=q.epoch + 1)
            )
            yield f"v{v} once more", mark(one(0, p=q, transactionVersion=2, producerEpoch=q.epoch + 1))
        yield f"v{v} producers", peer.call(
            "DescribeProducers", 0, topics=[{"name": topic, "partitionIndexes": [0, 1]}]
        )


@exchange(seconds=60)
def time_out(peer):
    """A transaction that is open for too long is aborted, and its producer is fenced."""
    topic = peer.create(peer.name("t"))
    p = Producer(peer, timeout=500)
    p.init()
    p.add(topic)
    p.produce(topic, b"one")
    wait_for(lambda: p.state()["transactionState"] == "CompleteAbort", "the time limit", seconds=30)
    yield "state", p.state()
    yield "end", p.end()
    yield "end as v1", p.end(v=1)
    yield "end as v5", p.end(v=5)
    yield "add", p.add(topic)
    yield "write", p.produce(topic, b"two", sequence=1)
    yield "recover", p.ask(4, producerId=p.pid, producerEpoch=p.epoch)
    yield "what is there", fetch(peer, topic)


if __name__ == "__main__":
    main()
