"""Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords, InitProducerId."""

import time

from exchange import ZERO, exchange
from lib.case import equal, main, wait_for
from lib.records import HEADER, batch, headers_of, record
from lib.wire import versions

NOW = 1_700_000_000_000  # create times are ours, so that both brokers have the same
DAY = 86_400_000


def data(peer, v, topic, *partitions):
    """The topic data of a Produce: (partition, records)..."""
    name = {"topicId": peer.topic_id(topic)} if v >= 13 else {"name": topic}
    return [{**name, "partitionData": [{"index": p, "records": r} for p, r in partitions]}]


def produce(peer, v, topic, records, partition=0, **fields):
    return peer.call(
        "Produce",
        v,
        **{"acks": -1, "timeoutMs": 10000, "topicData": data(peer, v, topic, (partition, records)), **fields},
    )


def fetch(peer, v, topic, offset=0, partition=0, **fields):
    """One partition; records as hexadecimal text, so that a difference can be read."""
    place = {
        "partition": partition,
        "fetchOffset": offset,
        "partitionMaxBytes": fields.pop("partitionMaxBytes", 1 << 20),
    }
    for name in ("currentLeaderEpoch", "lastFetchedEpoch"):
        if name in fields:
            place[name] = fields.pop(name)
    name = {"topicId": fields.pop("topicId", None) or peer.topic_id(topic)} if v >= 13 else {"topic": topic}
    answer = peer.call(
        "Fetch",
        v,
        **{
            "maxWaitMs": 100,
            "minBytes": 0,
            "maxBytes": 1 << 20,
            **({"replicaId": -1} if v <= 14 else {}),
            "topics": [{**name, "partitions": [place]}],
            **fields,
        },
    )
    return readable(answer)


def readable(answer):
    for topic in answer["responses"] if answer != "closed" else ():
        for partition in topic["partitions"]:
            if partition["records"] is not None:
                partition["records"] = partition["records"].hex()
    return answer


@exchange(seconds=120)
def produce_versions(peer):
    """Every version and acks; what was written is read back byte for byte."""
    topic = peer.create(peer.name("t"), 2)
    for v in versions("Produce"):
        for acks in (-1, 1):
            yield f"v{v} acks {acks}", produce(
                peer, v, topic, batch([b"v%d" % v, b"two"], now=NOW), acks=acks
            )
        yield f"v{v} acks 2", produce(peer, v, topic, batch([b"x"], now=NOW), acks=2)
        if v < 13:
            none = [
                {
                    "name": peer.name("none"),
                    "partitionData": [{"index": 0, "records": batch([b"x"], now=NOW)}],
                }
            ]
        else:
            none = [
                {"topicId": "33" * 16, "partitionData": [{"index": 0, "records": batch([b"x"], now=NOW)}]}
            ]
        yield f"v{v} unknown topic", peer.call("Produce", v, acks=-1, timeoutMs=10000, topicData=none)
        yield f"v{v} unknown partition", produce(peer, v, topic, batch([b"x"], now=NOW), 9)
        yield f"v{v} negative partition", produce(peer, v, topic, batch([b"x"], now=NOW), -1)
        yield f"v{v} empty records", produce(peer, v, topic, b"")
        both = data(
            peer,
            v,
            topic,
            (0, batch([b"p0"], now=NOW)),
            (1, batch([b"p1"], now=NOW)),
            (7, batch([b"p7"], now=NOW)),
        )
        yield f"v{v} three partitions", peer.call("Produce", v, acks=-1, timeoutMs=10000, topicData=both)
        yield f"v{v} nothing", peer.call("Produce", v, acks=-1, timeoutMs=10000, topicData=[])
    yield "all of 0", fetch(peer, 12, topic)
    yield "all of 1", fetch(peer, 12, topic, 0, 1)


@exchange()
def produce_without_acks(peer):
    """No answer comes; the next request on the connection is answered; an error closes the connection."""
    topic = peer.create(peer.name("t"))
    for v in (3, 7, 9, 12, 13):
        connection = peer.connect()
        connection.send(
            "Produce",
            v,
            acks=0,
            timeoutMs=1000,
            topicData=data(peer, v, topic, (0, batch([b"v%d" % v], now=NOW))),
        )
        connection.waiting.clear()
        answer = connection.call("ApiVersions", 0)
        yield f"v{v}", {"error": answer["errorCode"]}
        connection.close()
    yield "what is there", fetch(peer, 12, topic)
    connection = peer.connect()
    connection.send(
        "Produce",
        9,
        acks=0,
        timeoutMs=1000,
        topicData=[{"name": topic, "partitionData": [{"index": 8, "records": batch([b"x"], now=NOW)}]}],
    )
    yield "unknown partition", {"closed": closes(connection)}


def closes(connection):
    try:
        connection.socket.settimeout(5)
        return connection.socket.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def bad_batches():
    good = batch([b"one", b"two"], now=NOW)
    raw = b"".join(record(b"r%d" % i, offset=i) for i in range(3))
    yield "wrong crc", batch([b"x"], now=NOW, crc=1)
    yield "magic 1", batch([b"x"], now=NOW, magic=1)
    yield "magic 3", batch([b"x"], now=NOW, magic=3)
    yield "count too large", batch([b"x", b"y"], now=NOW, count=3, lastOffsetDelta=2)
    yield "count too small", batch([b"x", b"y"], now=NOW, count=1, lastOffsetDelta=0)
    yield "count and delta differ", batch([b"x", b"y"], now=NOW, lastOffsetDelta=5)
    yield "count zero", batch([], now=NOW)
    yield "count negative", batch([b"x"], now=NOW, count=-1)
    yield "length too large", batch([b"x"], now=NOW, length=5000)
    yield "length too small", batch([b"x"], now=NOW, length=20)
    yield "length negative", batch([b"x"], now=NOW, length=-1)
    yield "truncated", good[:-3]
    yield "header only", good[: HEADER.size]
    yield "half a header", good[:30]
    yield "one byte", b"\0"
    yield "two batches", good + batch([b"three"], now=NOW)
    yield "a batch and garbage", good + b"\xff" * 20
    yield "base offset of its own", batch([b"x"], now=NOW, baseOffset=1000)
    yield "leader epoch of its own", batch([b"x"], now=NOW, partitionLeaderEpoch=77)
    yield "offsets not in order", batch(
        [b""] * 3, now=NOW, payload=record(b"a", offset=1) + record(b"b", offset=0) + record(b"c", offset=2)
    )
    yield "record longer than the batch", batch([b"x"], now=NOW, payload=b"\x7e" + raw[1:9])
    yield "bytes after the records", batch([b""] * 3, now=NOW, payload=raw + b"junk")
    yield "control batch", batch([(b"\0\0\0\1", b"\0\0\0\0\0\0", ())], now=NOW, attributes=0x20)
    yield "transactional without a producer", batch([b"x"], now=NOW, attributes=0x10)
    yield "unused attributes", batch([b"x"], now=NOW, attributes=0x80)
    yield "codec 5", batch([b"x"], now=NOW, attributes=5)
    yield "codec 7", batch([b"x"], now=NOW, attributes=7)
    yield "log append time set by the client", batch([b"x"], now=NOW, attributes=8)
    yield "negative producer with a sequence", batch([b"x"], now=NOW, baseSequence=3)
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        yield f"{codec} garbage", batch([b"x"], codec, now=NOW, payload=b"\x01\x02garbage\xff\xfe")
        yield f"{codec} of nothing", batch([b"x"], codec, now=NOW, payload=b"")
        yield f"{codec} count too large", batch([b"x", b"y"], codec, now=NOW, count=3, lastOffsetDelta=2)


@exchange(seconds=90)
def produce_bad_batches(peer):
    """What a broker must refuse, and what it lets pass: the reference decides, and the log is the same at the
    end."""
    topic = peer.create(peer.name("t"))
    for label, records in bad_batches():
        yield label, produce(peer, 9, topic, records)
        yield f"{label}, v12", produce(peer, 12, topic, records)
    yield "the log", fetch(peer, 12, topic)


@exchange(seconds=90)
def produce_limits(peer):
    big = peer.create(peer.name("big"), max_message_bytes=500)
    yield "under max.message.bytes", produce(peer, 9, big, batch([b"x" * 300], now=NOW))
    yield "over max.message.bytes", produce(peer, 9, big, batch([b"x" * 600], now=NOW))
    compact = peer.create(peer.name("compact"), cleanup_policy="compact")
    yield "compacted, no key", produce(peer, 9, compact, batch([b"x"], now=NOW))
    yield "compacted, one without a key", produce(peer, 9, compact, batch([(b"k", b"v", ()), b"x"], now=NOW))
    yield "compacted, key", produce(peer, 9, compact, batch([(b"k", b"v", ())], now=NOW))
    append = peer.create(peer.name("append"), message_timestamp_type="LogAppendTime")
    yield "log append time", produce(peer, 9, append, batch([b"x", b"y"], now=NOW))
    after = peer.create(peer.name("after"), message_timestamp_after_max_ms=1000)
    yield "too far in the future", produce(peer, 9, after, batch([b"x"], now=int(time.time() * 1000) + DAY))
    before = peer.create(peer.name("before"), message_timestamp_before_max_ms=1000)
    yield "too far in the past", produce(peer, 9, before, batch([b"x"], now=NOW))
    yield "no time", produce(peer, 9, after, batch([b"x"], now=-1))
    two = peer.create(peer.name("isr"), min_insync_replicas=2)
    yield "too few replicas, acks all", produce(peer, 9, two, batch([b"x"], now=NOW))
    yield "too few replicas, acks 1", produce(peer, 9, two, batch([b"x"], now=NOW), acks=1)
    for topic in (big, compact, after, before, two):
        yield f"log of {topic}", fetch(peer, 12, topic)
    found = next(
        headers_of(bytes.fromhex(fetch(peer, 12, append)["responses"][0]["partitions"][0]["records"]))
    )[0]
    yield "batch with append time", {
        "attributes": found["attributes"],
        "max is now": abs(found["maxTimestamp"] - time.time() * 1000) < 60000,
        "base": found["baseTimestamp"],
    }


@exchange(seconds=90)
def compression(peer):
    """compression.type: what a topic makes of each codec."""
    for wanted in ("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"):
        topic = peer.create(peer.name(f"{wanted}"), compression_type=wanted)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            for v in (3, 9):
                values = [(b"k%d" % i, b"value " * 30, [("h", b"1")]) for i in range(20)]
                yield f"{codec} to {wanted} v{v}", produce(peer, v, topic, batch(values, codec, now=NOW))
        raw = bytes.fromhex(fetch(peer, 12, topic)["responses"][0]["partitions"][0]["records"])
        kept = [
            {
                n: f[n]
                for n in (
                    "baseOffset",
                    "attributes",
                    "lastOffsetDelta",
                    "count",
                    "baseTimestamp",
                    "maxTimestamp",
                    "magic",
                    "producerId",
                    "baseSequence",
                )
            }
            for f, _ in headers_of(raw)
        ]
        yield f"headers in {wanted}", {f"{i}": b for i, b in enumerate(kept)}
        if wanted in ("producer", "uncompressed"):
            yield f"bytes in {wanted}", {"raw": raw.hex()}
    old = peer.create(peer.name("old"))
    yield "zstd in an old Produce", produce(peer, 6, old, batch([b"x"], "zstd", now=NOW))
    produce(peer, 9, old, batch([b"x"], "zstd", now=NOW))
    yield "zstd to an old Fetch", fetch(peer, 9, old)
    yield "zstd to a new Fetch", fetch(peer, 10, old)


def new_producer(peer, v):
    """None while the broker asks the controller for its first block of ids."""
    made = peer.must("InitProducerId", v, transactionalId=None, transactionTimeoutMs=60000)
    return None if made["errorCode"] == 14 else made


@exchange(seconds=90)
def idempotent(peer):
    """Sequences, duplicates, gaps, epochs of producers without transactions."""
    topic = peer.create(peer.name("t"), 2)
    made = {}
    for v in versions("InitProducerId"):
        made[v] = wait_for(lambda w=v: new_producer(peer, w), "a producer id")
        peer.stands_for(made[v]["producerId"], f"producer {v}")
        yield f"InitProducerId v{v}", made[v]
        yield f"v{v} empty id", peer.call("InitProducerId", v, transactionalId="", transactionTimeoutMs=60000)
        if v >= 3:
            yield f"v{v} bump", peer.call(
                "InitProducerId",
                v,
                transactionalId=None,
                transactionTimeoutMs=60000,
                producerId=made[v]["producerId"],
                producerEpoch=0,
            )
    first = made[4]["producerId"]

    def put(sequence, epoch=0, count=1, producer=first, partition=0, v=9):
        values = [b"s%d" % (sequence + i) for i in range(count)]
        return produce(
            peer,
            v,
            topic,
            batch(values, now=NOW, producerId=producer, producerEpoch=epoch, baseSequence=sequence),
            partition,
        )

    yield "first", put(0)
    yield "second", put(1, count=3)
    yield "duplicate of the second", put(1, count=3)
    yield "duplicate of the first", put(0)
    yield "a gap", put(10)
    yield "back by one, other length", put(3, count=1)
    for i in range(4, 10):
        yield f"sequence {i}", put(i)
    yield "duplicate of what is no longer remembered", put(0)
    yield "duplicate of the fifth from the end", put(5)
    yield "epoch 1 not from zero", put(5, epoch=1)
    yield "epoch 1", put(0, epoch=1)
    yield "epoch 0 again", put(10, epoch=0)
    yield "negative epoch", put(1, epoch=-1)
    yield "negative sequence", put(-5, epoch=1)
    yield "unknown producer, not from zero", put(7, producer=first + 555, partition=1)
    yield "unknown producer, from zero", put(0, producer=first + 556, partition=1)
    last = 2**31 - 1
    yield "sequence at its end", put(last - 1, producer=first + 557, partition=1, count=2)
    yield "sequence wraps", put(0, producer=first + 557, partition=1)
    yield "the log of 0 has", {
        "batches": [
            [f["baseOffset"], f["count"], f["producerEpoch"], f["baseSequence"]]
            for f, _ in headers_of(
                bytes.fromhex(fetch(peer, 12, topic)["responses"][0]["partitions"][0]["records"])
            )
        ]
    }


@exchange(seconds=150)
def fetch_versions(peer):
    topic = peer.create(peer.name("t"), 2)
    for i in range(5):
        equal(
            produce(peer, 9, topic, batch([b"b%d-%d" % (i, j) for j in range(4)], now=NOW + i))["responses"][
                0
            ]["partitionResponses"][0]["errorCode"],
            0,
            "produce",
        )
    for v in versions("Fetch"):
        for offset in (0, 1, 7, 19, 20, 21, 1000, -1, -5):
            yield f"v{v} offset {offset}", fetch(peer, v, topic, offset)
        yield f"v{v} empty partition", fetch(peer, v, topic, 0, 1)
        yield f"v{v} unknown partition", fetch(peer, v, topic, 0, 9)
        if v >= 13:
            yield f"v{v} unknown id", fetch(peer, v, topic, topicId="44" * 16)
            yield f"v{v} zero id", fetch(peer, v, topic, topicId=ZERO)
        else:
            yield f"v{v} unknown topic", fetch(peer, v, peer.name("none"))
        yield f"v{v} one byte for the partition", fetch(peer, v, topic, 5, partitionMaxBytes=1)
        yield f"v{v} one byte in all", fetch(peer, v, topic, 5, maxBytes=1)
        yield f"v{v} two batches' bytes", fetch(peer, v, topic, 0, partitionMaxBytes=200)
        yield f"v{v} read committed", fetch(peer, v, topic, 3, isolationLevel=1)
        yield f"v{v} isolation 5", fetch(peer, v, topic, 3, isolationLevel=5)
        if v >= 9:
            yield f"v{v} old epoch", fetch(peer, v, topic, 3, currentLeaderEpoch=-2)
            yield f"v{v} newer epoch", fetch(peer, v, topic, 3, currentLeaderEpoch=9)
            yield f"v{v} this epoch", fetch(peer, v, topic, 3, currentLeaderEpoch=0)
        if v >= 12:
            yield f"v{v} last fetched epoch", fetch(
                peer, v, topic, 3, currentLeaderEpoch=0, lastFetchedEpoch=0
            )
            yield f"v{v} last fetched epoch unknown", fetch(
                peer, v, topic, 3, currentLeaderEpoch=0, lastFetchedEpoch=5
            )
        name = {"topicId": peer.topic_id(topic)} if v >= 13 else {"topic": topic}
        places = [
            {"partition": p, "fetchOffset": at, "partitionMaxBytes": 1 << 20}
            for p, at in ((0, 0), (1, 5), (0, 7), (9, 0), (1, 0), (9, 3))
        ]
        for split in (6, 1, 4):
            entries = [{**name, "partitions": places[:split]}, {**name, "partitions": places[split:]}]
            yield f"v{v} partitions twice, {split} and {6 - split}", readable(
                peer.call("Fetch", v, maxWaitMs=10, minBytes=0, maxBytes=1 << 20, topics=entries)
            )
        yield f"v{v} no topics", readable(peer.call("Fetch", v, maxWaitMs=10, minBytes=0, topics=[]))


@exchange(seconds=90)
def fetch_sessions(peer):
    """Full, incremental, changed and forgotten partitions, wrong session ids and epochs."""
    topic = peer.create(peer.name("t"), 3)
    for v in (7, 10, 12, 13, 16, 17, 18):
        peer.produce(topic, batch([b"for v%d" % v], now=NOW))
        name = {"topicId": peer.topic_id(topic)} if v >= 13 else {"topic": topic}
        part = lambda p, offset=0: {
            "partition": p,
            "fetchOffset": offset,
            "partitionMaxBytes": 1 << 20,
        }  # noqa: E731

        def ask(session, epoch, parts, forget=(), w=v, n=name):
            return readable(
                peer.call(
                    "Fetch",
                    w,
                    maxWaitMs=50,
                    minBytes=0,
                    sessionId=session,
                    sessionEpoch=epoch,
                    topics=[{**n, "partitions": list(parts)}] if parts else [],
                    forgottenTopicsData=[{**n, "partitions": list(forget)}] if forget else [],
                )
            )

        first = ask(0, 0, [part(0), part(1)])
        session = first["sessionId"]
        yield f"v{v} full", first
        yield f"v{v} nothing new", ask(session, 1, [])
        yield f"v{v} moved on", ask(session, 2, [part(0, 1)])
        yield f"v{v} one more", ask(session, 3, [part(2)])
        peer.produce(topic, batch([b"new"], now=NOW), 1)
        yield f"v{v} new data in 1", ask(session, 4, [])
        yield f"v{v} still there, as it was not moved", ask(session, 5, [])
        yield f"v{v} forgotten", ask(session, 6, [], [1])
        yield f"v{v} an unknown partition joins", ask(session, 7, [part(50)])
        yield f"v{v} and errs again", ask(session, 8, [])
        yield f"v{v} wrong epoch", ask(session, 3, [])
        yield f"v{v} unknown session", ask(session ^ 0x55555, 1, [])
        yield f"v{v} after the wrong epoch", ask(session, 9, [])
        yield f"v{v} closing", ask(session, -1, [part(0)])
        yield f"v{v} after closing", ask(session, 10, [])
        yield f"v{v} no session", ask(0, -1, [part(0)])
        yield f"v{v} session 0, epoch 5", ask(0, 5, [part(0)])


@exchange()
def fetch_waits(peer):
    """minBytes and maxWaitMs: an answer comes when there is enough, or when the time is over."""
    topic = peer.create(peer.name("t"))
    for v in (4, 11, 12, 17):
        name = {"topicId": peer.topic_id(topic)} if v >= 13 else {"topic": topic}
        ask = lambda connection, offset, wait, least, w=v, n=name: connection.send(  # noqa: E731
            "Fetch",
            w,
            maxWaitMs=wait,
            minBytes=least,
            topics=[
                {**n, "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}]}
            ],
        )
        connection = peer.connect()
        at = peer.must(
            "ListOffsets",
            5,
            replicaId=-1,
            topics=[{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}],
        )["topics"][0]["partitions"][0]["offset"]
        start = time.monotonic()
        ask(connection, at, 600, 1)
        answer = readable(connection.receive())
        yield f"v{v} nothing comes", answer
        yield f"v{v} it waited", {"long": 0.5 < time.monotonic() - start < 3}
        start = time.monotonic()
        ask(connection, at, 10000, 1)
        time.sleep(0.2)
        peer.produce(topic, batch([b"comes"], now=NOW))
        yield f"v{v} something comes", readable(connection.receive())
        yield f"v{v} at once", {"soon": time.monotonic() - start < 3}
        start = time.monotonic()
        ask(connection, at, 600, 100000)
        yield f"v{v} not enough", readable(connection.receive())
        yield f"v{v} it waited for more", {"long": 0.5 < time.monotonic() - start < 3}


@exchange(seconds=90)
def list_offsets(peer):
    topic = peer.create(peer.name("t"), 2)
    for i, at in enumerate((100, 300, 200, 500, 400)):
        peer.produce(topic, batch([b"m%d" % i, b"n%d" % i], now=NOW + at))
    for v in versions("ListOffsets"):

        def ask(time_, partition=0, name=topic, w=v, **fields):
            more = {k: fields.pop(k) for k in ("currentLeaderEpoch",) if k in fields}
            return peer.call(
                "ListOffsets",
                w,
                **{
                    "replicaId": -1,
                    "topics": [
                        {
                            "name": name,
                            "partitions": [{"partitionIndex": partition, "timestamp": time_, **more}],
                        }
                    ],
                    **fields,
                },
            )

        for at in (
            -1,
            -2,
            -3,
            -4,
            -5,
            -6,
            -7,
            -100,
            0,
            NOW,
            NOW + 100,
            NOW + 150,
            NOW + 250,
            NOW + 500,
            NOW + 501,
        ):
            yield f"v{v} time {at - NOW if at > 0 else at}", ask(at)
            yield f"v{v} time {at - NOW if at > 0 else at}, empty", ask(at, 1)
        yield f"v{v} unknown partition", ask(-1, 9)
        yield f"v{v} unknown topic", ask(-1, 0, peer.name("none"))
        if v >= 2:
            yield f"v{v} committed", ask(-1, isolationLevel=1)
        if v >= 4:
            yield f"v{v} old epoch", ask(-1, currentLeaderEpoch=-2)
            yield f"v{v} newer epoch", ask(-1, currentLeaderEpoch=9)
            yield f"v{v} this epoch", ask(-1, currentLeaderEpoch=0)
        twice = [{"partitionIndex": 0, "timestamp": -1}, {"partitionIndex": 0, "timestamp": -2}]
        yield f"v{v} a partition twice", peer.call(
            "ListOffsets", v, replicaId=-1, topics=[{"name": topic, "partitions": twice}]
        )
        other = [{"partitionIndex": 1, "timestamp": -1}]
        yield f"v{v} twice in two entries", peer.call(
            "ListOffsets",
            v,
            replicaId=-1,
            topics=[{"name": topic, "partitions": p} for p in (twice[:1], other, twice[1:], [])],
        )
        many = [{"partitionIndex": i % 400, "timestamp": -1 - i % 2} for i in range(600)]
        yield f"v{v} many twice", peer.call(
            "ListOffsets", v, replicaId=-1, topics=[{"name": topic, "partitions": many}]
        )
        yield f"v{v} a topic of nothing", peer.call(
            "ListOffsets", v, replicaId=-1, topics=[{"name": topic, "partitions": []}]
        )
        yield f"v{v} nothing", peer.call("ListOffsets", v, replicaId=-1, topics=[])


@exchange()
def offset_for_leader_epoch(peer):
    topic = peer.create(peer.name("t"), 2)
    peer.produce(topic, batch([b"a", b"b", b"c"], now=NOW))
    for v in versions("OffsetForLeaderEpoch"):
        for epoch in (-1, 0, 1, 5):
            for partition in (0, 1, 9):
                for current in (-1, 0, 3):
                    asked = {"partition": partition, "currentLeaderEpoch": current, "leaderEpoch": epoch}
                    more = {"replicaId": -1} if v >= 3 else {}
                    yield f"v{v} epoch {epoch} partition {partition} current {current}", peer.call(
                        "OffsetForLeaderEpoch", v, topics=[{"topic": topic, "partitions": [asked]}], **more
                    )
        asked = {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 0}
        yield f"v{v} unknown topic", peer.call(
            "OffsetForLeaderEpoch", v, topics=[{"topic": peer.name("none"), "partitions": [asked]}]
        )


@exchange()
def delete_records(peer):
    topic = peer.create(peer.name("t"), 2)
    compact = peer.create(peer.name("compact"), cleanup_policy="compact")
    peer.produce(compact, batch([(b"k", b"v", ())] * 5, now=NOW))
    for v in versions("DeleteRecords"):
        for i in range(5):
            peer.produce(topic, batch([b"%d-%d" % (i, j) for j in range(4)], now=NOW + i))
        low = peer.must(
            "ListOffsets",
            5,
            replicaId=-1,
            topics=[{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -2}]}],
        )["topics"][0]["partitions"][0]["offset"]
        ask = lambda offset, partition=0, name=topic, w=v: peer.call(
            "DeleteRecords",
            w,
            timeoutMs=10000,
            topics=[  # noqa: E731
                {"name": name, "partitions": [{"partitionIndex": partition, "offset": offset}]}
            ],
        )
        yield f"v{v} in a batch", ask(low + 6)
        yield f"v{v} lower than the start", ask(low)
        yield f"v{v} beyond the end", ask(low + 1000)
        yield f"v{v} negative", ask(-2)
        yield f"v{v} unknown partition", ask(0, 9)
        yield f"v{v} unknown topic", ask(0, 0, peer.name("none"))
        yield f"v{v} compacted", ask(1, 0, compact)
        yield f"v{v} fetch below", fetch(peer, 12, topic, low)
        yield f"v{v} fetch from the start", fetch(peer, 12, topic, low + 6)
        yield f"v{v} up to the high watermark", ask(-1)
        yield f"v{v} what is left", fetch(peer, 12, topic, low + 20)
        yield f"v{v} offsets", peer.call(
            "ListOffsets",
            5,
            replicaId=-1,
            topics=[{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -2}]}],
        )


@exchange()
def auto_create_by_produce(peer):
    """A Produce to a topic that does not exist creates none; a Metadata before it does."""
    topic = peer.name("none")
    yield "produce", peer.call(
        "Produce",
        9,
        acks=-1,
        timeoutMs=3000,
        topicData=[{"name": topic, "partitionData": [{"index": 0, "records": batch([b"x"], now=NOW)}]}],
    )
    yield "metadata", peer.call("Metadata", 9, topics=[{"name": topic}], allowAutoTopicCreation=False)
    peer.call("Metadata", 9, topics=[{"name": topic}], allowAutoTopicCreation=True)
    wait_for(
        lambda: peer.produce(topic, batch([b"x"], now=NOW))["responses"][0]["partitionResponses"][0][
            "errorCode"
        ]
        == 0,
        "produce",
    )
    yield "then", fetch(peer, 12, topic)


if __name__ == "__main__":
    main()
