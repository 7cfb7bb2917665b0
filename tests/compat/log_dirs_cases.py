"""Replicas move between log directories: the answers are compared with the reference's, with two directories each;
then what ottla does while it is written to, throttled, stopped and killed."""

import glob
import os
import threading
import time

from cluster_helpers import both
from configuration import BROKER, SET
from lib import wire
from lib.broker import Broker
from lib.case import case, check, equal, main, wait_for
from lib.records import batch
from lib.wire import versions


def one(value):
    return batch([(b"k", value, [])])


def two_dirs(kind, **extra):
    broker = Broker(kind, extra=extra)
    with open(broker.properties, encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith("log.dirs=")]
    with open(broker.properties, "w", encoding="utf-8") as f:
        f.writelines([*lines, f"log.dirs={broker.data},{broker.data}2\n"])
    return broker


def dirs(peer, *topics, v=5):
    """{directory: [(topic, partition, size, lag > 0, future)]}, directories as 'a' and 'b' in their order."""
    answer = peer.must("DescribeLogDirs", v, topics=None)
    found = []
    for result in sorted(answer["results"], key=lambda r: r["logDir"]):
        found.append(
            sorted(
                (t["name"], p["partitionIndex"], p["partitionSize"], p["offsetLag"] > 0, p["isFutureKey"])
                for t in result["topics"] if t["name"] in topics for p in t["partitions"]
            )
        )  # fmt: skip
    return found


def paths(peer):
    return sorted(r["logDir"] for r in peer.must("DescribeLogDirs", 1, topics=[])["results"])


def move(peer, v, *wishes):
    """wishes: (path, topic, partitions)."""
    return peer.call(
        "AlterReplicaLogDirs", v,
        dirs=[{"path": path, "topics": [{"name": t, "partitions": ps}]} for path, t, ps in wishes],
    )  # fmt: skip


def where(peer, topic, partition=0):
    """The index of the directory that the partition is in; None while it moves."""
    found = dirs(peer, topic)
    places = [i for i, d in enumerate(found) for p in d if p[1] == partition]
    return places[0] if len(places) == 1 else None


def answers(peer):
    topic, other = peer.create("t", 2), peer.create("u", 1)
    a, b = paths(peer)
    for n in range(5):
        peer.produce(topic, one(b"v%d" % n))
    peer.produce(topic, one(b"v"), partition=1)
    for v in versions("AlterReplicaLogDirs"):
        yield f"v{v} nothing", peer.call("AlterReplicaLogDirs", v, dirs=[])
        yield f"v{v} no topics", peer.call("AlterReplicaLogDirs", v, dirs=[{"path": a, "topics": []}])
        yield f"v{v} no partitions", move(peer, v, (a, topic, []))
        yield f"v{v} no such directory", move(peer, v, ("/no/such", topic, [0, 1]), ("", other, [0]))
        yield f"v{v} no such partition", move(peer, v, (a, topic, [2, 9]), (b, topic, [-1]))
        yield f"v{v} no such topic", move(peer, v, (a, "nobody", [0]))
        yield f"v{v} long names", move(peer, v, (a, "x" * 213, [0]), (a, "y" * 214, [0]), (b, "z" * 240, [0]))
        here = paths(peer)[where(peer, topic)]
        yield f"v{v} where it is", move(peer, v, (here, topic, [0]))
        there = [p for p in (a, b) if p != here][0]
        yield f"v{v} elsewhere", move(peer, v, (there, topic, [0]))
        wait_for(lambda: where(peer, topic) == paths(peer).index(there), f"{peer.kind}: moved", 20)  # pylint: disable=cell-var-from-loop
        yield f"v{v} the same again", move(peer, v, (there, topic, [0]))
        yield f"v{v} twice", move(peer, v, (here, topic, [1]), (there, topic, [1]))
        wait_for(lambda: where(peer, topic, 1) == paths(peer).index(there), f"{peer.kind}: moved", 20)  # pylint: disable=cell-var-from-loop
        yield f"v{v} what is there", {"sizes": sorted(p[2] for d in dirs(peer, topic) for p in d)}
    read = peer.call(
        "Fetch", 11, replicaId=-1, maxWaitMs=0, minBytes=1, maxBytes=1 << 20,
        topics=[{"topic": topic, "partitions": [{"partition": p, "fetchOffset": 0, "partitionMaxBytes": 1 << 20,
                                                  "currentLeaderEpoch": -1} for p in (0, 1)]}],
    )["responses"][0]["partitions"]  # fmt: skip
    for partition in read:
        partition["records"] = len(partition["records"])  # the rest are clock readings
    yield "read", {"partitions": read}
    yield "a place for one that comes later", move(peer, 2, (b, "later", [0]), (a, "soon", [0]))
    for name, path in (("later", b), ("soon", a)):
        peer.create(name)
        peer.produce(name, one(b"v"))
        yield f"{name} is there", {"right": where(peer, name) == paths(peer).index(path)}


@case(seconds=180, needs=("java",), alone=True)
def moves_between_directories():
    with two_dirs("kafka") as kafka, two_dirs("ottla") as ottla:
        kafka.start()
        ottla.start()
        both(answers, kafka, ottla)
        for broker in (kafka, ottla):
            check(broker.stop(), f"{broker.kind} did not stop by itself")
        # Each goes on in the directory of the other.
        kafka.start("ottla")
        ottla.start("kafka")
        both(still_there, ottla, kafka)


def still_there(peer):
    for topic, partition, count in (("t", 0, 5), ("t", 1, 1), ("later", 0, 1), ("soon", 0, 1)):
        asked = [{"partitionIndex": partition, "timestamp": -1}]

        def end(topic=topic, asked=asked):
            found = peer.must("ListOffsets", 5, replicaId=-1, topics=[{"name": topic, "partitions": asked}])
            return found["topics"][0]["partitions"][0]

        yield f"{topic}-{partition}", wait_for(lambda end=end: end() if not end()["errorCode"] else None, topic, 20)
        equal(end()["offset"], count, f"{peer.kind}: end of {topic}-{partition}")


def throttle(connection, rate):
    change = {
        "name": "replica.alter.log.dirs.io.max.bytes.per.second", "configOperation": SET, "value": str(rate),
    }  # fmt: skip
    answer = connection.call(
        "IncrementalAlterConfigs", 1, resources=[{"resourceType": BROKER, "resourceName": "1", "configs": [change]}]
    )
    equal(answer["responses"][0]["errorCode"], 0, "throttled")


class Writer(threading.Thread):
    """Produces one record after another, and remembers how many were acknowledged."""

    def __init__(self, bootstrap, topic):
        super().__init__()
        self.bootstrap, self.topic, self.acked, self.ends, self.slowest = bootstrap, topic, 0, False, 0.0

    def run(self):
        with wire.Connection(self.bootstrap) as c:
            while not self.ends:
                began = time.monotonic()
                try:
                    answer = c.call(
                        "Produce", 9, acks=-1, timeoutMs=5000,
                        topicData=[{"name": self.topic, "partitionData": [
                            {"index": 0, "records": one(b"%d" % self.acked)}]}],
                    )  # fmt: skip
                except (wire.Closed, OSError):
                    return
                if answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0:
                    self.acked += 1
                self.slowest = max(self.slowest, time.monotonic() - began)


def count(broker, topic):
    """Records of partition 0, read to the end; each offset once."""
    at = 0
    with wire.Connection(broker.bootstrap) as c:
        while True:
            part = c.call(
                "Fetch", 11, replicaId=-1, maxWaitMs=0, minBytes=1, maxBytes=1 << 22,
                topics=[{"topic": topic, "partitions": [{"partition": 0, "fetchOffset": at,
                                                          "partitionMaxBytes": 1 << 22, "currentLeaderEpoch": -1}]}],
            )["responses"][0]["partitions"][0]  # fmt: skip
            equal(part["errorCode"], 0, f"fetch at {at}")
            data, place = part["records"] or b"", 0
            while len(data) - place >= 61:
                size = int.from_bytes(data[place + 8 : place + 12], "big") + 12
                if size > len(data) - place:
                    break
                equal(int.from_bytes(data[place : place + 8], "big"), at, "offset")
                at += int.from_bytes(data[place + 23 : place + 27], "big") + 1
                place += size
            if not place:
                return at


class Peerless:
    """The few calls above for one broker."""

    def __init__(self, broker):
        self.connection = wire.Connection(broker.bootstrap)
        self.kind = broker.kind

    def must(self, name, version, **fields):
        return self.connection.call(name, version, **fields)

    call = must


def make(broker, megabytes):
    """A topic with so much in it."""
    with wire.Connection(broker.bootstrap) as c:
        c.call("CreateTopics", 7, timeoutMs=9000, topics=[{"name": "m", "numPartitions": 1, "replicationFactor": 1,
               "configs": [{"name": "segment.bytes", "value": str(1 << 20)}]}])  # fmt: skip
        big = one(os.urandom(500_000))
        wait_for(lambda: not c.call("Produce", 9, acks=-1, timeoutMs=5000, topicData=[
            {"name": "m", "partitionData": [{"index": 0, "records": big}]}]
        )["responses"][0]["partitionResponses"][0]["errorCode"], "the first record")  # fmt: skip
        for _ in range(megabytes * 2 - 1):
            c.call("Produce", 9, acks=-1, timeoutMs=5000,
                   topicData=[{"name": "m", "partitionData": [{"index": 0, "records": big}]}])  # fmt: skip


@case(seconds=90, needs=())
def a_log_moves_while_it_is_written():
    with two_dirs("ottla") as broker:
        broker.start()
        make(broker, 30)
        writer = Writer(broker.bootstrap, "m")
        writer.start()
        peer = Peerless(broker)
        for _ in range(4):
            at = where(peer, "m")
            equal(move(peer, 2, (paths(peer)[1 - at], "m", [0]))["results"][0]["partitions"][0]["errorCode"], 0, "moved")
            wait_for(lambda at=at: where(peer, "m") == 1 - at, "the move", 20)
        writer.ends = True
        writer.join()
        equal(count(broker, "m"), 60 + writer.acked, "records")
        check(writer.acked > 100 and writer.slowest < 2, f"{writer.acked} written, the slowest in {writer.slowest:.2f} s")


@case(seconds=90, needs=())
def a_move_is_throttled_and_given_up():
    with two_dirs("ottla") as broker:
        broker.start()
        make(broker, 10)
        peer = Peerless(broker)
        throttle(peer.connection, 2_000_000)
        home = where(peer, "m")
        here, there = paths(peer)[home], paths(peer)[1 - home]
        move(peer, 2, (there, "m", [0]))
        time.sleep(1)
        found = dirs(peer, "m")
        equal([p[4] for p in found[home]], [False], "the log itself")
        check([p[3:] for p in found[1 - home]] == [(True, True)], f"a copy that lags behind: {found}")
        check(found[1 - home][0][2] < 6_000_000, f"too fast: {found}")
        equal(len(glob.glob(there + "/m-0.*-future")), 1, "directories of copies")
        equal(move(peer, 2, (here, "m", [0]))["results"][0]["partitions"][0]["errorCode"], 0, "given up")
        wait_for(lambda: not glob.glob(there + "/m-0.*-future"), "the copy to go")
        equal(where(peer, "m"), home, "directory")
        # A stop and a kill in the middle: it begins anew, and ends.
        for end in (broker.stop, broker.kill):
            home = where(peer, "m")
            target = paths(peer)[1 - home]
            move(peer, 2, (target, "m", [0]))
            time.sleep(0.5)
            end()
            broker.start()
            peer = Peerless(broker)
            check(where(peer, "m") is None, "it does not go on")
            throttle(peer.connection, 2**62)
            wait_for(lambda home=home: where(peer, "m") == 1 - home, "the move", 20)
            equal(count(broker, "m"), 20, "records")
            throttle(peer.connection, 2_000_000)
        # The topic goes while it moves.
        home = where(peer, "m")
        move(peer, 2, (paths(peer)[1 - home], "m", [0]))
        time.sleep(0.3)
        peer.must("DeleteTopics", 5, timeoutMs=9000, topicNames=["m"])
        wait_for(lambda: dirs(peer, "m") == [[], []], "the topic to go")
        wait_for(lambda: not glob.glob(broker.data + "*/m-0*-future"), "its copy to go")
        check(broker.stop(), "no clean stop")


main()
