"""The same compacted topics cleaned by Apache Kafka and by ottla: what is left is the same, batch by batch, and
each opens what the other has cleaned.

The reference writes the data (transactions, tombstones, codecs, idempotent producers) with its cleaner asleep;
the directory is copied; each broker cleans its copy; the files are compared.
"""

import glob
import os
import shutil
import time

from exchange import Peer
from swap_cases import dump, led, loaded, ok, settled, stable
from lib.broker import Broker, reference
from lib.case import CASES, case, check, equal, main, wait_for
from lib.records import batch, headers_of, records_of

CASES.clear()  # those of swap_cases are run by itself

# Long ago, so that the gap between two batches rolls a segment and not the clock.
NOW = int(time.time() * 1000) - 3_600_000
SEGMENT_MS = 1000
HORIZON, TRANSACTIONAL, CONTROL = 0x40, 0x10, 0x20
TOPIC = {"cleanup_policy": "compact", "segment_ms": SEGMENT_MS, "segment_jitter_ms": 0}


class Clock:
    def __init__(self):
        self.now = NOW

    def roll(self):
        self.now += 2 * SEGMENT_MS


def keyed(*pairs):
    return [(k.encode(), v if v is None else v.encode(), ()) for k, v in pairs]


def fill_plain(peer, codec):
    topic, clock = peer.create(f"plain-{codec}", 1, index_interval_bytes=64, **TOPIC), Clock()
    for i in range(60):
        pairs = [(f"key {(7 * i + j) % 23}", f"{i}.{j} " + "v" * (i % 17)) for j in range(1 + i % 4)]
        ok(peer.produce(topic, batch(keyed(*pairs), codec, now=clock.now)), "produce")
        if i % 9 == 8:
            clock.roll()
    clock.roll()
    ok(peer.produce(topic, batch(keyed(("key 1", "last")), codec, now=clock.now)), "produce")
    return topic


def fill_tombstones(peer, name, retention):
    topic, clock = peer.create(name, 1, delete_retention_ms=retention, **TOPIC), Clock()
    for i in range(12):
        ok(peer.produce(topic, batch(keyed((f"k{i}", "v"), (f"k{i % 5}", "w")), now=clock.now)), "produce")
        if i % 3 == 0:
            clock.roll()
            ok(peer.produce(topic, batch(keyed((f"k{i}", None), ("kept", f"{i}")), now=clock.now)), "produce")
    clock.roll()
    ok(peer.produce(topic, batch(keyed(("end", "1")), now=clock.now)), "produce")
    return topic


def fill_idempotent(peer):
    """Producers whose last batches hold nothing but what newer records hide."""
    topic, clock = peer.create("idempotent", 1, **TOPIC), Clock()
    for _ in range(3):
        made = wait_for(
            lambda: loaded(peer.must("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=60000)),
            "a producer",
        )
        for sequence in range(3):
            who = {"producerId": made["producerId"], "producerEpoch": 0, "baseSequence": sequence}
            ok(peer.produce(topic, batch(keyed(("same", f"{sequence}")), now=clock.now, **who)), "produce")
        clock.roll()
    ok(peer.produce(topic, batch(keyed(("same", "newest")), now=clock.now)), "produce")
    clock.roll()
    ok(peer.produce(topic, batch(keyed(("other", "1")), now=clock.now)), "produce")
    return topic


def begin(peer, name, topic):
    made = wait_for(
        lambda: loaded(peer.must("InitProducerId", 4, transactionalId=name, transactionTimeoutMs=60000)),
        "a producer",
    )
    who = {"producerId": made["producerId"], "producerEpoch": made["producerEpoch"]}

    def add():
        return settled(
            peer.must(
                "AddPartitionsToTxn",
                3,
                v3AndBelowTransactionalId=name,
                v3AndBelowProducerId=who["producerId"],
                v3AndBelowProducerEpoch=who["producerEpoch"],
                v3AndBelowTopics=[{"name": topic, "partitions": [0]}],
            )
        )

    wait_for(add, "the partition in the transaction")
    return who


def fill_transactions(peer):
    topic, clock = peer.create("transactions", 2, **TOPIC), Clock()
    for name in ("one", "two"):
        wait_for(
            lambda n=name: peer.must("FindCoordinator", 3, key=n, keyType=1)["errorCode"] == 0,
            "a coordinator",
        )
    for i in range(10):
        name, commit = ("one", "two")[i % 2], i % 3 != 1
        who = begin(peer, name, topic)
        for sequence in range(2):
            pairs = (f"k{i % 4}", f"{i}"), (f"only {i}", "x")
            ok(
                peer.produce(
                    topic,
                    batch(
                        keyed(pairs[sequence]),
                        now=clock.now,
                        attributes=TRANSACTIONAL,
                        baseSequence=sequence,
                        **who,
                    ),
                    transactionalId=name,
                ),
                "produce",
            )
            if i % 4 == 3:
                clock.roll()
        ok(peer.must("EndTxn", 3, transactionalId=name, committed=commit, **who), "EndTxn")
        wait_for(lambda: stable(peer, topic), "the marker")
        ok(peer.produce(topic, batch(keyed(("plain", f"{i}")), now=clock.now)), "produce")
    # Markers have the clock's time: what comes next is in a segment of its own.
    late = int(time.time() * 1000) + 3 * SEGMENT_MS
    ok(peer.produce(topic, batch(keyed(("end", "1")), now=late)), "produce")
    return topic


def fill(peer):
    topics = [fill_plain(peer, codec) for codec in ("none", "gzip", "snappy", "lz4", "zstd")]
    topics.append(fill_tombstones(peer, "tombstones", 86400000))
    topics.append(fill_tombstones(peer, "tombstones-at-once", 0))
    topics.append(fill_idempotent(peer))
    topics.append(fill_transactions(peer))
    return topics


# ---- what is on disk


def batches(folder):
    """Of all segments, in order: what the header says, and the records."""
    for path in sorted(glob.glob(f"{folder}/*.log")):
        with open(path, "rb") as f:
            for fields, raw in headers_of(f.read()):
                yield os.path.basename(path), fields, raw


def described(folder):
    """Every batch as it should be on both sides. Of a horizon only its being there is compared: it comes from
    the clock."""
    for segment, fields, raw in batches(folder):
        fields = dict(fields)
        codec, horizon = fields["attributes"] & 7, bool(fields["attributes"] & HORIZON)
        del fields["crc"]
        if horizon:
            check(fields.pop("baseTimestamp") > 0, "a horizon")
        if codec > 1:
            fields.pop("length")
            content = None
        elif fields["attributes"] & CONTROL:
            content = raw[61:] if not horizon else fields["count"]
        else:
            content = list(records_of(raw))
        if codec or horizon:
            fields.pop("length", None)
        yield segment, fields, content


def same_files(a, b, kind):
    one, two = (sorted(os.path.basename(p) for p in glob.glob(f"{x}/*.{kind}")) for x in (a, b))
    equal(two, one, f"the .{kind} files of {a}")
    for name in one[:-1]:  # the active segment's indexes are each broker's own
        with open(f"{a}/{name}", "rb") as x, open(f"{b}/{name}", "rb") as y:
            equal(y.read(), x.read(), f"{a}/{name}")


def compare(kafkas, ours, topics):
    seen = set()
    for topic in topics:
        a, b = f"{kafkas}/{topic}-0", f"{ours}/{topic}-0"
        left, right = list(described(a)), list(described(b))
        for x, y in zip(left, right):
            equal(y, x, f"{topic}")
        equal(len(right), len(left), f"batches of {topic}")
        seen |= {"empty" for x in left if not x[1]["count"]}
        seen |= {"horizon" for x in left if x[1]["attributes"] & HORIZON}
        seen |= {"marker" for x in left if x[1]["attributes"] & CONTROL}
        if topic in ("plain-none", "idempotent"):
            same_files(a, b, "index")
            same_files(a, b, "timeindex")
        same_files(a, b, "txnindex")
    equal(seen, {"empty", "horizon", "marker"}, "what is compared")


# ---- the brokers


class Turns:
    def __init__(self, broker):
        self.broker = broker

    def settings(self, backoff):
        values = reference.properties(
            self.broker.folder,
            self.broker.port,
            self.broker.controller_port,
            {
                "log.cleaner.backoff.ms": backoff,
                "log.cleaner.min.cleanable.ratio": "0.01",
                "log.initial.task.delay.ms": "3600000",
            },
        )
        reference.write_properties(self.broker.folder, values)

    def turn(self, kind, work):
        self.broker.start(kind)
        peer = Peer(kind, self.broker.bootstrap, "clean")
        try:
            return work(peer)
        finally:
            peer.close()
            check(self.broker.stop(), f"{kind} did not stop cleanly\n{self.broker.log_tail(15)}")

    def keep(self, name):
        shutil.copytree(self.broker.data, f"{self.broker.folder}/{name}")
        return f"{self.broker.folder}/{name}"

    def use(self, folder):
        shutil.rmtree(self.broker.data)
        shutil.copytree(folder, self.broker.data)

    def cleaned(self, topics):
        """Every topic is clean up to its active segment."""

        def done():
            try:
                with open(f"{self.broker.data}/cleaner-offset-checkpoint", encoding="ascii") as f:
                    points = {line.rsplit(" ", 1)[0]: int(line.split()[2]) for line in f.readlines()[2:]}
            except FileNotFoundError:
                return False
            return all(points.get(f"{t} 0") == self.active(t) for t in topics)

        wait_for(done, "the cleaner", 60)

    def active(self, topic):
        return max(int(os.path.basename(p)[:20]) for p in glob.glob(f"{self.broker.data}/{topic}-0/*.log"))


def read_all(peer, topics):
    """What a consumer reads, at both isolation levels."""
    found = {}
    for topic in topics:
        wait_for(lambda name=topic: led(peer, name), f"leader of {topic}")
        for isolation in (0, 1):
            got, offset = [], 0
            while True:
                answer = peer.must(
                    "Fetch",
                    16,
                    maxWaitMs=0,
                    minBytes=0,
                    maxBytes=1 << 26,
                    isolationLevel=isolation,
                    topics=[
                        {
                            "topicId": peer.topic_id(topic),
                            "partitions": [
                                {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 26}
                            ],
                        }
                    ],
                )["responses"][0]["partitions"][0]
                equal(answer["errorCode"], 0, f"fetch of {topic} at {offset}")
                raw = answer["records"] or b""
                aborted = sorted((a["producerId"], a["firstOffset"]) for a in answer["abortedTransactions"] or [])
                headers = [
                    (f["baseOffset"], f["lastOffsetDelta"], f["count"], f["attributes"], f["producerId"])
                    for f, _ in headers_of(raw)
                ]
                if not headers:
                    break
                got.append((headers, aborted))
                offset = headers[-1][0] + headers[-1][1] + 1
            found[topic, isolation] = got
    return found


@case(seconds=300, needs=["java"])
def cleaned_alike():
    other = os.environ.get("BROKER", "ottla")
    with Broker("kafka", extra={"log.cleaner.backoff.ms": "3600000"}) as broker:
        turns = Turns(broker)
        topics = turns.turn("kafka", fill)
        dirty = turns.keep("dirty")
        turns.settings(100)
        seen = turns.turn("kafka", lambda peer: (turns.cleaned(topics), read_all(peer, topics))[1])
        kafkas = turns.keep("by-kafka")
        turns.use(dirty)
        got = turns.turn(other, lambda peer: (turns.cleaned(topics), read_all(peer, topics))[1])
        ours = turns.keep("by-ottla")
        compare(kafkas, ours, topics)
        equal(got, seen, "what consumers read")
        dump(broker)
        equal(turns.turn("kafka", lambda peer: read_all(peer, topics)), seen, "kafka reads what ottla cleaned")
        turns.use(kafkas)
        equal(turns.turn(other, lambda peer: read_all(peer, topics)), seen, "ottla reads what kafka cleaned")


if __name__ == "__main__":
    main()
