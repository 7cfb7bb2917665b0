"""Compaction in a running node: what a real client finds, the internal topic of the groups, changes at run
time, memory.
"""

import glob
import os
import random
import time

from lib import wire
from lib.broker import Broker
from lib.case import Skip, case, check, equal, main, run, wait_for
from lib.records import batch

FAST = {"log.cleaner.backoff.ms": "100", "log.cleaner.min.cleanable.ratio": "0.01"}
TOPIC, BROKER, SET = 2, 4, 0


def create(c, name, **configs):
    entries = [{"name": k.replace("_", "."), "value": str(v)} for k, v in configs.items()]
    topics = [{"name": name, "numPartitions": 1, "replicationFactor": 1, "configs": entries}]
    answer = c.call("CreateTopics", 7, topics=topics, timeoutMs=10000)
    equal(answer["topics"][0]["errorCode"], 0, f"create {name}")


def produce(c, topic, pairs, now=None):
    values = [(k, v, ()) for k, v in pairs]
    data = [{"name": topic, "partitionData": [{"index": 0, "records": batch(values, now=now)}]}]
    answer = c.call("Produce", 9, acks=-1, timeoutMs=10000, topicData=data)
    return answer["responses"][0]["partitionResponses"][0]


def alter(c, kind, name, **changes):
    configs = [{"name": k.replace("_", "."), "configOperation": SET, "value": str(v)} for k, v in changes.items()]
    answer = c.call(
        "IncrementalAlterConfigs",
        1,
        resources=[{"resourceType": kind, "resourceName": name, "configs": configs}],
    )
    equal(answer["responses"][0]["errorCode"], 0, f"alter {changes}")


def clean_point(broker, topic, partition=0):
    try:
        with open(f"{broker.data}/cleaner-offset-checkpoint", encoding="ascii") as f:
            lines = f.read().split("\n")[2:]
    except FileNotFoundError:
        return 0
    return next((int(s.split()[2]) for s in lines if s.startswith(f"{topic} {partition} ")), 0)


def active(broker, folder):
    return max(int(os.path.basename(p)[:20]) for p in glob.glob(f"{broker.data}/{folder}/*.log"))


def cleaned(broker, topic):
    wait_for(lambda: clean_point(broker, topic) == active(broker, f"{topic}-0") > 0, f"{topic} to be cleaned", 30)


def kcat(*args, stdin=None):
    try:
        return run(["kcat", *args], stdin=stdin)
    except FileNotFoundError:
        raise Skip("kcat is not installed") from None


@case(seconds=90, needs=())
def a_client_finds_the_newest_of_each_key():
    """librdkafka writes, idempotent, all codecs; and reads what is left, before and after a restart."""
    expected, rng = {}, random.Random(1)
    with Broker("ottla", extra=FAST).start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t", cleanup_policy="compact", segment_ms=100, delete_retention_ms=0)
        total = 0
        for n, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd") * 2):
            lines = []
            for i in range(400):
                key, value = f"key{rng.randrange(150)}", f"{n}.{i}"
                if rng.randrange(10) == 0:
                    value = ""  # -Z: null
                    expected.pop(key, None)
                else:
                    expected[key] = value
                lines.append(f"{key}:{value}\n")
            total += len(lines)
            options = ("-X", "enable.idempotence=true", "-X", f"compression.codec={codec}", "-Z", "-K:")
            kcat("-P", "-b", broker.bootstrap, "-t", "t", *options, stdin="".join(lines).encode())
            time.sleep(0.15)
        with wire.Connection(broker.bootstrap) as c:
            equal(produce(c, "t", [(b"last", b"1")])["errorCode"], 0, "the last record")
        expected["last"] = "1"
        cleaned(broker, "t")

        def read():
            printed = kcat("-C", "-b", broker.bootstrap, "-t", "t", "-e", "-q", "-o", "beginning", "-f", "%o %k:%s\n")
            return [line.split(" ", 1) for line in printed.splitlines()]

        def tombstones_gone():
            """Those get their horizon in one round and go in the next that something else makes due."""
            with wire.Connection(broker.bootstrap) as c:
                produce(c, "t", [(b"last", b"1")])
            time.sleep(0.2)
            found = dict(line[1].split(":", 1) for line in read())
            return found == expected and found

        wait_for(tombstones_gone, "the tombstones to go", 20)
        check(len(read()) < total / 4, "little is left")
        offsets = [int(o) for o, _ in read()]
        equal(offsets, sorted(offsets), "the order")
        for end in (broker.stop, broker.kill):
            end()
            broker.start()
            equal(dict(line[1].split(":", 1) for line in read()), expected, "after a restart")


@case(seconds=60, needs=())
def keyless_records_are_refused_one_by_one():
    with Broker("ottla", extra=FAST).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t", cleanup_policy="compact")
        answer = produce(c, "t", [(b"k", b"v"), (None, b"v"), (b"k", b"w"), (None, b"w")])
        equal(answer["errorCode"], 87, "INVALID_RECORD")
        equal([e["batchIndex"] for e in answer["recordErrors"]], [1, 3], "which")
        check(all(e["batchIndexErrorMessage"] for e in answer["recordErrors"]), f"{answer}")


@case(seconds=90, needs=())
def committed_offsets_survive_compaction():
    """__consumer_offsets is compacted, and the coordinator loads what is left."""
    extra = {**FAST, "offsets.topic.segment.bytes": "1048576", "offsets.topic.num.partitions": "1"}
    with Broker("ottla", extra=extra).start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t")
            wait_for(lambda: c.call("FindCoordinator", 1, key="g0")["errorCode"] == 0, "the coordinator")
            for i in range(900):
                commit(c, f"g{i % 7}", i)
            wait_for(lambda: clean_point(broker, "__consumer_offsets") > 0, "__consumer_offsets to be cleaned", 30)
            wanted = [committed(c, f"g{i}") for i in range(7)]
            equal(wanted, [max(i for i in range(900) if i % 7 == g) for g in range(7)], "committed")
        for end in (broker.stop, broker.kill):
            end()
            broker.start()
            with wire.Connection(broker.bootstrap) as c:
                wait_for(lambda c=c: committed(c, "g0") is not None, "the coordinator")
                equal([committed(c, f"g{i}") for i in range(7)], wanted, "after a restart")


def commit(c, group, offset):
    partitions = [{"partitionIndex": 0, "committedOffset": offset, "committedMetadata": "m" * 4000}]

    def done():
        answer = c.call(
            "OffsetCommit",
            8,
            groupId=group,
            generationIdOrMemberEpoch=-1,
            memberId="",
            topics=[{"name": "t", "partitions": partitions}],
        )
        return answer["topics"][0]["partitions"][0]["errorCode"] == 0

    wait_for(done, f"a commit of {group}")


def committed(c, group):
    answer = c.call("OffsetFetch", 5, groupId=group, topics=[{"name": "t", "partitionIndexes": [0]}])
    if answer["errorCode"] or answer["topics"][0]["partitions"][0]["errorCode"]:
        return None
    return answer["topics"][0]["partitions"][0]["committedOffset"]


@case(seconds=90, needs=())
def settings_change_at_run_time():
    """From delete to compact and back; the ratio; the number of threads; the pace."""
    with Broker("ottla", extra={"log.cleaner.backoff.ms": "100"}).start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t", segment_ms=100)
            old = int(time.time() * 1000) - 100_000
            for i in range(40):
                equal(produce(c, "t", [(b"k%d" % (i % 3), b"v" * 500)], old + 50 * i)["errorCode"], 0, "produce")
            time.sleep(0.5)
            equal(clean_point(broker, "t"), 0, "not compacted yet")
            alter(c, BROKER, "", log_cleaner_threads=2)
            alter(c, TOPIC, "t", cleanup_policy="compact", min_cleanable_dirty_ratio="0.01")
            cleaned(broker, "t")
            check(len(os.listdir(f"/proc/{broker.process.pid}/task")) > 0, "threads")
            wait_for(lambda: cleaner_threads(broker) == 2, "two cleaner threads")
            alter(c, BROKER, "", log_cleaner_threads=1)
            wait_for(lambda: cleaner_threads(broker) == 1, "one cleaner thread")
            # One segment of 60 kB, read twice, at 20 kB/s: seconds, not an instant.
            alter(c, BROKER, "", log_cleaner_io_max_bytes_per_second=20000, log_cleaner_io_buffer_size=16384)
            for i in range(120):
                produce(c, "t", [(b"k%d" % (i % 3), b"v" * 500)], old + 10000)
            begun = time.monotonic()
            produce(c, "t", [(b"k", b"v")], old + 20000)
            cleaned(broker, "t")
            check(time.monotonic() - begun > 2, f"{time.monotonic() - begun} s")


def cleaner_threads(broker):
    names = glob.glob(f"/proc/{broker.process.pid}/task/*/comm")
    return sum(open(n, encoding="ascii").read().startswith("cleaner-") for n in names)


@case(seconds=90, needs=())
def memory_is_given_back():
    """The keys' buffer is there only while a log is cleaned."""
    if "build-" in os.environ.get("OTTLA", ""):
        raise Skip("a sanitizer keeps memory")
    with Broker("ottla", extra=FAST).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t", cleanup_policy="compact", segment_ms=100)
        time.sleep(1)
        idle = broker.memory()
        old = int(time.time() * 1000) - 100_000
        for i in range(30):
            pairs = [(b"%d-%d" % (i, k), b"value") for k in range(10000)]
            equal(produce(c, "t", pairs, old + 200 * i)["errorCode"], 0, "produce")
        cleaned(broker, "t")
        wait_for(lambda: broker.memory() < idle + (6 << 20), f"from {idle} bytes, now {broker.memory()}", 20)


if __name__ == "__main__":
    main()
