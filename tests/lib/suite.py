r"""The cases that every client passes. A client is a program of four verbs, whatever its language; register()
makes the cases of it.

produce TOPIC PARTITION CODEC     reads lines `key TAB value TAB header`, sends each (acks=all, idempotent
                                  where the client can) and ends with status 0 when all are acknowledged.
                                  PARTITION -1: the client's own choice. header is name=value; \N is null, for
                                  a header none
consume TOPIC PARTITION START N   prints `ready` when it is placed, then `offset TAB key TAB value TAB header`
                                  for each record, N of them, or with N=-1 until the end that the partition had
                                  at first. START is beginning, end, an offset, or @milliseconds
member TOPIC GROUP ASSIGNOR       a group member from the beginning; commits after each poll and prints
                                  `partition TAB offset TAB value` for what a successful commit covers; leaves
                                  on SIGTERM with status 0
admin TOPIC GROUP                 creates, describes, alters, extends and deletes topics, their records,
                                  groups and offsets; checks each answer itself
"""

import collections
import os
import queue
import signal
import subprocess
import threading
import time

from lib.case import Failure, bootstrap, case, check, equal, run, unique, wait_for
from lib.records import batch
from lib.wire import Connection

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = 6
RETRIED = (3, 6)  # the leader of a new partition is in the metadata before it leads


class Client:
    """command(): the program and its first arguments, called when a case runs, when the environment of its
    fixture is there."""

    def __init__(self, command):
        self.command = command

    def produce(self, topic, partition, codec, records, seconds=60):
        lines = "".join("\t".join(r) + "\n" for r in records)
        run([*self.command(), "produce", topic, partition, codec], stdin=lines.encode(), seconds=seconds)

    def consume(self, topic, partition, start, count=-1):
        lines = run([*self.command(), "consume", topic, partition, start, count], seconds=60).splitlines()
        check(lines and lines[0] == "ready", f"consume did not say ready: {lines[:3]}")
        return [tuple(s.split("\t")) for s in lines[1:]]


class Reader:
    """A running verb whose lines arrive on a thread."""

    def __init__(self, command):
        self.errors = open(f"/proc/self/fd/{os.dup(2)}", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.lines, self.seen = queue.Queue(), []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.seen.append(line.decode().rstrip("\n"))

    def leave(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"did not leave within {seconds} s of SIGTERM") from None
        self.thread.join(5)
        equal(status, 0, "status of a member that left")


def codecs_case(client, names):
    """Keys, values and headers come back as sent, in order, whatever the codec, and batches of several codecs
    live in one log."""
    topic = unique("codecs")
    wanted = []
    for codec in names:
        records = [(f"key-{i}", f"{codec}-{i}-" + "payload " * 30, f"codec={codec}") for i in range(300)]
        records += [
            ("\\N", f"{codec}-no-key", "\\N"),
            (f"{codec}-tombstone", "\\N", f"codec={codec}"),
            ("empty", "", "h="),
        ]
        client.produce(topic, 0, codec, records)
        wanted += records
    got = client.consume(topic, 0, "beginning")
    equal(len(got), len(wanted), "number of records")
    for i, (record, expected) in enumerate(zip(got, wanted)):
        equal(record, (str(i), *expected), f"record {i}")


def positions_case(client):
    """From the beginning, the end, an offset, and a time."""
    topic = unique("positions")
    client.produce(topic, 0, "none", [("k", f"old-{i}", "\\N") for i in range(10)])
    time.sleep(0.05)
    now = int(time.time() * 1000)
    time.sleep(0.05)
    client.produce(topic, 0, "none", [("k", f"new-{i}", "\\N") for i in range(5)])
    offsets = lambda start, count=-1: [
        int(r[0]) for r in client.consume(topic, 0, start, count)
    ]  # noqa: E731
    equal(offsets("beginning"), list(range(15)), "from the beginning")
    equal(offsets(7), list(range(7, 15)), "from offset 7")
    equal(offsets(12, 2), [12, 13], "two from offset 12")
    equal(offsets(f"@{now}"), list(range(10, 15)), "from a time")
    reader = Reader([*client.command(), "consume", topic, 0, "end", 1])
    wait_for(lambda: reader.seen, "the consumer at the end to be ready")
    client.produce(topic, 0, "none", [("k", "last", "\\N")])
    wait_for(lambda: len(reader.seen) > 1, "the record that came after the end")
    equal(reader.seen[1].split("\t")[:3], ["15", "k", "last"], "record after the end")
    equal(reader.process.wait(20), 0, "status")


def group_case(client, assignor):
    """Three members come and go while records are written. Each record is covered by exactly one successful
    commit."""
    topic, group = unique("group"), unique("members")
    written, stop = [0], threading.Event()

    def write():
        with Connection(bootstrap()) as connection:
            while not stop.is_set():
                first = written[0]
                values = [f"r-{i}".encode() for i in range(first, first + 10)]
                send(connection, topic, first // 10 % PARTITIONS, values)
                written[0] = first + 10
                stop.wait(0.03)

    create(topic)
    writer = threading.Thread(target=write)
    members = []

    def join(name):
        members.append(Reader([*client.command(), "member", topic, group, assignor]))
        wait_for(lambda: members[-1].seen, f"{name} to read", 40)
        return members[-1]

    def go_on(*those):
        for member in those:
            before = len(member.seen)
            wait_for(lambda m=member, b=before: len(m.seen) > b, "a member to go on after a rebalance", 40)

    writer.start()
    try:
        a = join("the first member")
        b = join("the second member")
        c = join("the third member")
        go_on(a, b, c)
        a.leave()
        go_on(b, c)
        b.leave()
        go_on(c)
        d = join("a fourth member")
        go_on(c, d)
    finally:
        stop.set()
        writer.join()
    try:
        wait_for(lambda: sum(len(m.seen) for m in members) >= written[0], "all to be read", 40)
    except Failure:
        verify(members, written[0])  # says which are missing
        raise
    time.sleep(0.5)  # a record that is read twice would come now
    for member in (c, d):
        member.leave()
    verify(members, written[0])


def create(topic):
    """A topic of several partitions, each with a leader."""
    with Connection(bootstrap()) as connection:
        made = connection.call(
            "CreateTopics",
            4,
            topics=[{"name": topic, "numPartitions": PARTITIONS, "replicationFactor": 1}],
            timeoutMs=10000,
        )
        equal(made["topics"][0]["errorCode"], 0, "creation of the topic")

        def ready():
            found = connection.call("Metadata", 4, topics=[{"name": topic}], allowAutoTopicCreation=False)[
                "topics"
            ][0]
            return len(found["partitions"]) == PARTITIONS and all(
                p["errorCode"] == 0 for p in found["partitions"]
            )

        wait_for(ready, "leaders of the partitions")


def send(connection, topic, partition, values):
    data = [{"index": partition, "records": batch(values)}]
    for tries in range(100):
        answer = connection.call(
            "Produce", 9, acks=-1, timeoutMs=10000, topicData=[{"name": topic, "partitionData": data}]
        )
        error = answer["responses"][0]["partitionResponses"][0]["errorCode"]
        if error not in RETRIED:
            break
        time.sleep(0.05 + tries / 1000)
    equal(error, 0, "produce")


def verify(members, count):
    seen = collections.Counter(line.split("\t")[2] for m in members for line in m.seen)
    lost = [f"r-{i}" for i in range(count) if f"r-{i}" not in seen]
    twice = {value: n for value, n in seen.items() if n > 1}
    check(not lost, lambda: f"{len(lost)} of {count} records lost: {lost[:10]}")
    check(
        not twice,
        lambda: f"{len(twice)} of {count} records read more than once: {dict(list(twice.items())[:10])}",
    )
    equal(len(seen), count, "different records")


def register(command, needs, codecs=CODECS, assignors=("range",), seconds=120):
    """Defines the cases codecs, positions, group-ASSIGNOR and admin for the program that command() names."""
    client = Client(command)

    def define(name, function, limit=seconds):
        function.__name__ = name
        case(seconds=limit, needs=needs)(function)

    define("codecs", lambda: codecs_case(client, codecs))
    define("positions", lambda: positions_case(client))
    for assignor in assignors:
        define(f"group-{assignor}", lambda a=assignor: group_case(client, a), max(seconds, 240))
    define(
        "admin", lambda: run([*command(), "admin", unique("admin"), unique("admin-group")], seconds=seconds)
    )
