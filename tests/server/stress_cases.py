"""Many clients at once that create, produce to, read and delete the same few topics, and leave in the
middle of what they asked for.
Three network loops, an answer after fdatasync on some of the topics. Most useful on a build that watches
itself: OTTLA=build-thread/ottla TSAN_OPTIONS=halt_on_error=1 tests/run server/stress (or build-address).
STRESS_SECONDS: how long (8).
"""

import os
import random
import socket
import struct
import threading
import time

from lib import wire
from lib.broker import Broker
from lib.case import Failure, case, check, main
from lib.records import batch

TOPICS = [f"stress-{i}" for i in range(5)]
RECORDS = batch([b"value %d" % i for i in range(10)], now=1_700_000_000_000)
ALLOWED = {
    0,
    1,
    3,
    36,
    37,
    100,
    56,
}  # none, out of range, unknown topic, exists, partitions, unknown id, storage


def partitions_of(answer):
    for topic in answer["responses"]:
        yield from topic.get("partitionResponses", topic.get("partitions"))


class Client(threading.Thread):
    """One connection after another; each sends some requests ahead and reads the answers, or goes
    away before."""

    def __init__(self, broker, seed, until):
        super().__init__(daemon=True)
        with wire.Connection(broker.bootstrap) as c:
            self.served = {
                api["apiKey"]
                for api in c.call("ApiVersions", 3, clientSoftwareName="stress", clientSoftwareVersion="1")[
                    "apiKeys"
                ]
            }
        self.broker, self.random, self.until, self.error, self.answers = (
            broker,
            random.Random(seed),
            until,
            None,
            0,
        )

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.one_connection()
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def one_connection(self):
        with wire.Connection(self.broker.bootstrap, seconds=20) as c:
            for _ in range(self.random.randrange(1, 12)):
                if time.monotonic() > self.until:
                    return
                for _ in range(self.random.choice((1, 1, 2, 8, 40))):
                    self.ask(c)
                leave = self.random.random()
                if leave < 0.1:
                    self.leave_suddenly(c, leave < 0.05)
                    return
                while c.waiting:
                    self.look_at(c.waiting[0][0].name, c.receive())

    def leave_suddenly(self, c, with_reset):
        if self.random.random() < 0.3:
            c.send_raw(struct.pack(">i", 5000) + b"\0" * 100)
        if with_reset:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def look_at(self, name, answer):
        self.answers += 1
        if name in ("Produce", "Fetch"):
            for p in partitions_of(answer):
                check(p["errorCode"] in ALLOWED, f"{name}: error {p['errorCode']}")

    def ask(self, c):
        self.random.choices(
            (self.produce, self.fetch, self.create, self.delete, self.other), (50, 20, 5, 2, 5)
        )[0](c)

    def some_topics(self):
        return self.random.sample(TOPICS, self.random.randrange(1, len(TOPICS)))

    def produce(self, c):
        c.send(
            "Produce",
            9,
            acks=self.random.choice((1, -1)),
            timeoutMs=3000,
            topicData=[
                {
                    "name": name,
                    "partitionData": [
                        {"index": i, "records": RECORDS} for i in range(self.random.randrange(1, 3))
                    ],
                }
                for name in self.some_topics()
            ],
        )

    def fetch(self, c):
        c.send(
            "Fetch",
            12,
            maxWaitMs=self.random.choice((0, 5, 50)),
            minBytes=self.random.choice((1, 1 << 20)),
            maxBytes=1 << 20,
            sessionId=0,
            sessionEpoch=self.random.choice((0, -1)),
            isolationLevel=self.random.randrange(2),
            topics=[
                {
                    "topic": name,
                    "partitions": [
                        {
                            "partition": i,
                            "fetchOffset": self.random.randrange(30),
                            "partitionMaxBytes": 1 << 16,
                        }
                        for i in range(2)
                    ],
                }
                for name in self.some_topics()
            ],
        )

    def create(self, c):
        name = self.random.choice(TOPICS)
        flush = [{"name": "flush.messages", "value": "1"}] if int(name[-1]) % 2 else []
        c.send(
            "CreateTopics",
            7,
            timeoutMs=3000,
            topics=[{"name": name, "numPartitions": 2, "replicationFactor": 1, "configs": flush}],
        )

    def delete(self, c):
        if self.random.random() < 0.5:
            c.send("DeleteTopics", 3, topicNames=[self.random.choice(TOPICS)], timeoutMs=3000)
        else:
            c.send(
                "CreatePartitions",
                3,
                timeoutMs=3000,
                validateOnly=False,
                topics=[
                    {
                        "name": self.random.choice(TOPICS),
                        "count": self.random.randrange(3, 6),
                        "assignments": None,
                    }
                ],
            )

    def other(self, c):
        name = self.random.choice(TOPICS)
        which = self.random.randrange(5)
        if which == 0:
            c.send("Metadata", 9, topics=[{"name": name}])
        elif which == 1:
            c.send(
                "ListOffsets",
                7,
                replicaId=-1,
                topics=[{"name": name, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}],
            )
        elif which == 2:
            c.send("DescribeLogDirs", 1, topics=None)
        elif which == 3 and wire.APIS["IncrementalAlterConfigs"].key in self.served:
            c.send(
                "IncrementalAlterConfigs",
                1,
                resources=[
                    {
                        "resourceType": 2,
                        "resourceName": name,
                        "configs": [
                            {
                                "name": "flush.messages",
                                "configOperation": 0,
                                "value": str(self.random.choice((1, 2, 10000))),
                            }
                        ],
                    }
                ],
            )
        else:
            c.send(
                "DeleteRecords",
                2,
                timeoutMs=3000,
                topics=[{"name": name, "partitions": [{"partitionIndex": 0, "offset": -1}]}],
            )


@case(seconds=90, needs=())
def clients_that_come_and_go():
    """The broker answers all who stay, in order and without surprising errors, and stops cleanly in the
    middle of it."""
    seconds = float(os.environ.get("STRESS_SECONDS", "8"))
    with Broker("ottla", extra={"num.network.threads": "3"}).start() as broker:
        until = time.monotonic() + seconds
        clients = [Client(broker, seed, until) for seed in range(12)]
        for c in clients:
            c.start()
        for c in clients:
            c.join(seconds + 40)
        check(
            broker.alive(),
            lambda: f"the broker died with status {broker.process.returncode}\n{broker.log_tail(400)}",
        )
        for c in clients:
            if c.error:
                raise Failure(f"a client: {c.error!r}") from c.error
            check(not c.is_alive(), "a client still waits for its answers")
        print(sum(c.answers for c in clients), "answers")
        again = [Client(broker, seed, time.monotonic() + 60) for seed in range(100, 106)]
        for c in again:
            c.start()
        time.sleep(0.5)
        check(broker.stop(), lambda: f"status {broker.process.returncode}\n{broker.log_tail(400)}")


class Asker(threading.Thread):
    """Asks all coordinators at once, each request on a connection of its own; what they answer does not matter."""

    def __init__(self, broker, seed):
        super().__init__(daemon=True)
        self.broker, self.seed, self.random = broker, seed, random.Random(seed)

    def run(self):
        try:
            while True:
                with wire.Connection(self.broker.bootstrap, seconds=20) as c:
                    self.transactions(c)
        except (OSError, wire.Closed):
            pass  # the node has stopped

    def transactions(self, c):
        name = f"txn-{self.seed}"
        answer = c.call("InitProducerId", 4, transactionalId=name, transactionTimeoutMs=60000, producerId=-1, producerEpoch=-1)
        if answer["errorCode"]:
            time.sleep(0.02)
            return
        pid, epoch = answer["producerId"], answer["producerEpoch"]
        for _ in range(self.random.randrange(1, 20)):
            data = batch([b"x"], attributes=0x10, producerId=pid, producerEpoch=epoch, baseSequence=0)
            topic = {"name": "asked", "partitionData": [{"index": i, "records": data} for i in range(2)]}
            c.call("Produce", 12, transactionalId=name, acks=-1, timeoutMs=3000, topicData=[topic])
            part = {"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}
            c.call("TxnOffsetCommit", 5, transactionalId=name, groupId=f"group-{self.seed}", producerId=pid, producerEpoch=epoch,
                   generationId=-1, memberId="", topics=[{"name": "asked", "partitions": [part]}])
            answer = c.call("EndTxn", 5, transactionalId=name, producerId=pid, producerEpoch=epoch, committed=self.random.random() < 0.7)
            if answer["errorCode"]:
                return
            pid, epoch = answer["producerId"], answer["producerEpoch"]


@case(seconds=90, needs=())
def coordinators_are_asked_until_it_stops():
    """Transactions of the second version, whose requests go from one thread to the next and back: a stop in the middle of them
    is a clean one, each time."""
    extra = {
        "num.network.threads": "3",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "log.flush.interval.messages": "1",
    }
    with Broker("ottla", extra=extra) as broker:
        for round_ in range(3):
            broker.start()
            with wire.Connection(broker.bootstrap) as c:
                if not round_:
                    c.call("CreateTopics", 7, timeoutMs=3000, topics=[{"name": "asked", "numPartitions": 2, "replicationFactor": 1}])
                for kind, key in ((0, "group-0"), (1, "txn-0")):
                    c.call("FindCoordinator", 3, key=key, keyType=kind)
            for asker in [Asker(broker, seed) for seed in range(8)]:
                asker.start()
            time.sleep(2.5 if not round_ else 1)
            check(broker.stop(), lambda: f"status {broker.process.returncode}\n{broker.log_tail(400)}")


if __name__ == "__main__":
    main()
