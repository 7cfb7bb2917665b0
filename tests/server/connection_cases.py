"""Connections that do what ordinary clients do not: many requests at once, answers left unread,
frames in pieces, ends in the middle.
Each case has a broker of its own, with flush.messages=1 where an answer is to come after its burst."""

import concurrent.futures
import os
import struct
import time

from lib import wire
from lib.broker import Broker
from lib.case import case, check, equal, main, wait_for
from lib.records import batch

NOW = 1_700_000_000_000


def own_broker(**extra):
    return Broker("ottla", extra={key.replace("_", "."): value for key, value in extra.items()})


def create(connection, *names, partitions=1, **configs):
    topics = [
        {
            "name": name,
            "numPartitions": partitions,
            "replicationFactor": 1,
            "configs": [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()],
        }
        for name in names
    ]
    for topic in connection.call("CreateTopics", 7, topics=topics, timeoutMs=10000)["topics"]:
        equal(topic["errorCode"], 0, f"creation of {topic['name']}")


def produce_fields(*topics, acks=1, data=b"x", partition=0):
    records = batch([data], now=NOW)
    return {
        "acks": acks,
        "timeoutMs": 5000,
        "topicData": [
            {"name": name, "partitionData": [{"index": partition, "records": records}]} for name in topics
        ],
    }


def names_of(answer):
    return [topic["name"] for topic in answer["responses"]]


@case(seconds=30, needs=())
def names_after_the_burst():
    """Answers that wait for the disk, or behind one that does, have the names that were asked
    for, whatever came into the buffer since."""
    with own_broker().start() as broker, wire.Connection(broker.bootstrap) as c:
        flushed, plain = [f"flushed-{i}" for i in range(6)], [f"plain-{i}" for i in range(6)]
        create(c, *flushed, flush_messages="1")
        create(c, *plain)
        for _ in range(20):
            c.send("Produce", 9, **produce_fields(*flushed))
            c.send("Produce", 9, **produce_fields(*plain))
            with wire.Connection(broker.bootstrap) as other:
                other.call("Produce", 9, **produce_fields("plain-0", data=b"#" * 5000))
            equal(names_of(c.receive()), flushed, "names of the flushed topics")
            equal(names_of(c.receive()), plain, "names of those that waited behind them")


@case(seconds=30, needs=())
def answers_before_a_bad_frame():
    """A frame that ends the connection does not take away the answers of the requests before it."""
    with own_broker().start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t")
            equal(
                c.call("Produce", 9, **produce_fields("t"))["responses"][0]["partitionResponses"][0][
                    "errorCode"
                ],
                0,
                "produce",
            )
        for _ in range(50):
            with wire.Connection(broker.bootstrap) as c:
                held = []
                c.send_raw, send = held.append, c.send_raw
                c.send(
                    "Fetch",
                    12,
                    maxWaitMs=0,
                    minBytes=1,
                    maxBytes=1 << 20,
                    sessionEpoch=-1,
                    topics=[
                        {
                            "topic": "t",
                            "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}],
                        }
                    ],
                )
                send(b"".join(held) + struct.pack(">i", -5))
                check(
                    len(c.receive()["responses"][0]["partitions"][0]["records"]) > 60,
                    "the fetch has its records",
                )
        with wire.Connection(broker.bootstrap) as c:
            equal(
                c.call("DeleteTopics", 3, topicNames=["t"], timeoutMs=5000)["responses"][0]["errorCode"],
                0,
                "deletion",
            )

        def open_files():
            folder = f"/proc/{broker.process.pid}/fd"
            paths = [
                os.readlink(os.path.join(folder, fd))
                for fd in os.listdir(folder)
                if os.path.exists(os.path.join(folder, fd))
            ]
            return [p for p in paths if "/t-0" in p and p.endswith(".log")]

        wait_for(lambda: not open_files(), "the deleted segment is closed")


@case(seconds=60, needs=())
def order_of_answers():
    """Produce requests that wait for the disk, and between them requests that run alone: answered in
    the order of the requests."""
    with own_broker().start() as broker, wire.Connection(broker.bootstrap, seconds=30) as c:
        create(c, "slow", flush_messages="1")
        for _ in range(10):
            for _ in range(8):
                c.send("Produce", 9, **produce_fields("slow"))
                c.send("Metadata", 9, topics=[{"name": "slow"}])
            for _ in range(8):
                equal(names_of(c.receive()), ["slow"], "the answer to a produce")
                equal(c.receive()["topics"][0]["errorCode"], 0, "the answer to a metadata request")


@case(seconds=60, needs=())
def queued_bytes_are_bounded():
    """queued.max.request.bytes: while parts of requests take them all, no other request begins,
    those that have begun are answered, and all goes on when the parts are gone."""
    limit = 1 << 20
    broker = own_broker(queued_max_request_bytes=str(limit), socket_request_max_bytes=str(limit))
    with broker.start(), wire.Connection(broker.bootstrap) as c:
        create(c, "t", flush_messages="1")

        def produce(count):
            with wire.Connection(broker.bootstrap, seconds=30) as own:
                for n in range(count):
                    own.send("Produce", 9, **produce_fields("t"))
                    if n >= 4:
                        equal(names_of(own.receive()), ["t"], "the answer")

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = [pool.submit(produce, 300) for _ in range(4)]
            while not all(r.done() for r in running):
                parts = [wire.Connection(broker.bootstrap) for _ in range(5)]
                for p in parts:
                    p.send_raw(struct.pack(">i", limit) + b"\0" * 70000)
                time.sleep(0.03)
                for p in parts:
                    p.close()
                time.sleep(0.02)
            check(broker.alive(), lambda: f"the broker died with status {broker.process.returncode}")
            for r in running:
                r.result()


@case(seconds=60, needs=())
def stop_with_requests_that_wait():
    """A stop in the middle of produce, fetch and create requests is a clean one."""
    for _ in range(3):
        with own_broker().start() as broker:
            c = wire.Connection(broker.bootstrap)
            create(c, *[f"t{i}" for i in range(8)], flush_messages="1")
            others = [wire.Connection(broker.bootstrap) for _ in range(12)]
            for n, other in enumerate(others):
                for _ in range(20):
                    other.send("Produce", 9, **produce_fields(*[f"t{(i + n) % 8}" for i in range(8)]))
            waiting = wire.Connection(broker.bootstrap)
            waiting.send(
                "Fetch",
                12,
                maxWaitMs=20000,
                minBytes=1 << 20,
                maxBytes=1 << 20,
                sessionEpoch=-1,
                topics=[
                    {
                        "topic": "t0",
                        "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}],
                    }
                ],
            )
            c.send("DeleteTopics", 3, topicNames=["t7"], timeoutMs=5000)
            c.send("DescribeLogDirs", 1, topics=None)
            time.sleep(0.01)
            check(broker.stop(), lambda b=broker: f"status {b.process.returncode}\n{b.log_tail()}")
            for connection in (c, waiting, *others):
                connection.close()


@case(seconds=30, needs=())
def unknown_topic_does_not_end_a_wait():
    """A fetch of a topic that is there and one that is not waits for the first, as the reference's does, and
    tells both."""
    with own_broker().start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "there")
        topics = [
            {"topic": name, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}]}
            for name in ("missing", "there")
        ]
        for wanted, least in ((topics, 0.3), (topics[:1], 0)):
            start = time.monotonic()
            answer = c.call(
                "Fetch", 12, maxWaitMs=400, minBytes=1, maxBytes=1 << 20, sessionEpoch=-1, topics=wanted
            )
            took = time.monotonic() - start
            check(least <= took < least + 0.3, f"{len(wanted)} topics took {took:.3f} s")
            equal(
                sorted((t["topic"], t["partitions"][0]["errorCode"]) for t in answer["responses"]),
                sorted((t["topic"], 3 if t["topic"] == "missing" else 0) for t in wanted),
                "topics and errors",
            )


if __name__ == "__main__":
    main()
