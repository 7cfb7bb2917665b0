"""Dynamic configuration of a running node: it acts at once, survives restarts, and may change under load.
For sanitizer builds as stress_cases: OTTLA=build-thread/ottla tests/run server/configuration.
STRESS_SECONDS: how long the load lasts (5).
"""

import os
import random
import threading
import time

from lib import wire
from lib.broker import Broker, free_port
from lib.case import Failure, case, check, equal, main, wait_for
from lib.records import batch

TOPIC, BROKER, LOGGER, GROUP = 2, 4, 8, 32
SET, DELETE = 0, 1
RECORDS = batch([b"x" * 2000], now=1_700_000_000_000)
TOO_LARGE = 10


def alter(connection, kind, name, **changes):
    """A value of None deletes. Gives the error code."""
    configs = [
        {
            "name": key.replace("_", "."),
            "configOperation": DELETE if value is None else SET,
            "value": None if value is None else str(value),
        }
        for key, value in changes.items()
    ]
    resources = [{"resourceType": kind, "resourceName": name, "configs": configs}]
    answer = connection.call("IncrementalAlterConfigs", 1, resources=resources)
    answer = answer["responses"][0]
    if answer["errorMessage"]:
        print(f"{changes}: {answer['errorMessage']}")
    return answer["errorCode"]


def describe(connection, kind, name, key):
    """(value, source)"""
    resources = [{"resourceType": kind, "resourceName": name, "configurationKeys": [key] if key else None}]
    answer = connection.call("DescribeConfigs", 4, resources=resources)
    configs = answer["results"][0]["configs"]
    return (configs[0]["value"], configs[0]["configSource"]) if configs else None


def create(connection, *names):
    topics = [{"name": name, "numPartitions": 1, "replicationFactor": 1} for name in names]
    connection.call("CreateTopics", 7, topics=topics, timeoutMs=10000)


def produce(connection, topic):
    data = [{"name": topic, "partitionData": [{"index": 0, "records": RECORDS}]}]
    answer = connection.call("Produce", 9, acks=-1, timeoutMs=10000, topicData=data)
    return answer["responses"][0]["partitionResponses"][0]["errorCode"]


@case(seconds=60, needs=())
def survives_restarts():
    """After a clean stop and after a kill the values are there, and in force for older logs."""
    with Broker("ottla").start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t")
            equal(produce(c, "t"), 0, "produce with the defaults")
            equal(alter(c, BROKER, "", message_max_bytes=1000), 0, "for all")
            equal(alter(c, BROKER, "1", log_retention_ms=5000000), 0, "for one")
            equal(produce(c, "t"), TOO_LARGE, "produce when it is answered")
        for end in (broker.stop, broker.kill):
            end()
            broker.start()
            with wire.Connection(broker.bootstrap) as c:
                equal(describe(c, BROKER, "1", "message.max.bytes"), ("1000", 3), "the value for all")
                equal(describe(c, BROKER, "1", "log.retention.ms"), ("5000000", 2), "the value for one")
                equal(describe(c, TOPIC, "t", "max.message.bytes"), ("1000", 3), "the topic's default")
                equal(produce(c, "t"), TOO_LARGE, "produce after a restart")
        with wire.Connection(broker.bootstrap) as c:
            equal(alter(c, BROKER, "", message_max_bytes=None), 0, "deleted")
            equal(produce(c, "t"), 0, "produce after that")


def is_served(broker):
    try:
        with wire.Connection(broker.bootstrap, seconds=5) as c:
            c.call("ApiVersions", 0)
        return True
    except (wire.Closed, OSError):
        return False


@case(seconds=30, needs=())
def limits_of_connections():
    """max.connections and its kin hold from the next connection on; those that are there stay."""
    with Broker("ottla").start() as broker, wire.Connection(broker.bootstrap) as c:
        for key in ("max_connections", "max_connections_per_ip"):
            check(is_served(broker), "a second connection before the limit")
            equal(alter(c, BROKER, "", **{key: 1}), 0, key)
            wait_for(lambda: not is_served(broker), f"{key} to act")
            equal(alter(c, BROKER, "", **{key: None}), 0, f"{key} deleted")
            wait_for(lambda: is_served(broker), f"{key} to act no longer")


@case(seconds=30, needs=())
def texts_with_a_nul():
    """Are refused, in names of resources, keys and values."""
    with Broker("ottla").start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        for kind in (TOPIC, BROKER, GROUP, LOGGER):
            for name, key, value in (
                ("t\0x", "retention.ms", "1"),
                ("t", "retention.ms\0x", "1"),
                ("t", "retention.ms", "1\0x"),
                ("t\0" + "x" * 30000, "retention.ms", "1"),
            ):
                change = {"name": key, "configOperation": SET, "value": value}
                resource = {"resourceType": kind, "resourceName": name}
                for api, more in (
                    ("IncrementalAlterConfigs", change),
                    ("AlterConfigs", {"name": key, "value": value}),
                ):
                    answer = c.call(api, 1, resources=[{**resource, "configs": [more]}])["responses"][0]
                    check(answer["errorCode"] != 0, f"{api} {kind} {name[:9]!r} {key!r} {value!r}: no error")
                c.call("DescribeConfigs", 4, resources=[{**resource, "configurationKeys": None}])
        equal(describe(c, TOPIC, "t", "retention.ms"), ("604800000", 5), "what is in force")


class Load(threading.Thread):
    """One connection; does one thing again and again."""

    def __init__(self, broker, thing, until):
        super().__init__(daemon=True)
        self.broker, self.thing, self.until, self.error, self.times = broker, thing, until, None, 0

    def run(self):
        try:
            with wire.Connection(self.broker.bootstrap, seconds=30) as c:
                while time.monotonic() < self.until:
                    self.thing(c, self.times)
                    self.times += 1
        except Exception as e:  # pylint: disable=broad-except
            self.error = e


def change_brokers(c, i):
    key = random.choice(["log_retention_ms", "log_segment_bytes", "message_max_bytes", "max_connections"])
    value = random.choice([None, 1_100_000 + i])
    equal(alter(c, BROKER, random.choice(["", "1"]), **{key: value}), 0, f"{key} to {value}")


def change_topics(c, i):
    equal(alter(c, TOPIC, f"t{i % 3}", retention_ms=random.choice([None, 2_000_000 + i])), 0, "a topic")
    equal(alter(c, LOGGER, "1", root=random.choice(["INFO", "WARN"])), 0, "the log's level")


def come_and_go(c, i):
    create(c, f"x{i}")
    c.call("DeleteTopics", 6, topics=[{"name": f"x{i}"}], timeoutMs=10000)
    c.call("DescribeLogDirs", 4, topics=None)


def look(c, i):
    for kind, name in ((BROKER, "1"), (BROKER, ""), (TOPIC, f"t{i % 3}"), (LOGGER, "1"), (GROUP, "g")):
        describe(c, kind, name, None)
    c.call("ListConfigResources", 1, resourceTypes=[])


def write(c, i):
    equal(produce(c, f"t{i % 3}"), 0, "produce")


@case(seconds=60, needs=())
def changes_under_load():
    with Broker("ottla").start() as broker:
        with wire.Connection(broker.bootstrap) as c:
            create(c, "t0", "t1", "t2")
        until = time.monotonic() + float(os.environ.get("STRESS_SECONDS", "5"))
        things = (change_brokers, change_brokers, change_topics, come_and_go, look, look, write, write)
        load = [Load(broker, thing, until) for thing in things]
        for one in load:
            one.start()
        for one in load:
            one.join()
            if one.error:
                raise Failure(f"{one.thing.__name__} after {one.times}: {one.error}\n{broker.log_tail(20)}")
            check(one.times > 5, f"{one.thing.__name__}: only {one.times} times")
        check(broker.stop(), f"no clean stop\n{broker.log_tail(20)}")


def listeners_of(broker, *more):
    given = [
        f"PLAINTEXT://127.0.0.1:{broker.port}",
        f"CONTROLLER://127.0.0.1:{broker.controller_port}",
        *(f"{name}://127.0.0.1:{port}" for name, port in more),
    ]
    protocols = ",".join(f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *(n for n, _ in more)))
    return {"listeners": ",".join(given), "listener_security_protocol_map": protocols}


def is_ended(connection):
    connection.socket.settimeout(5)
    try:
        return connection.socket.recv(1) == b""
    except ConnectionError:
        return True


@case(seconds=60, needs=())
def listeners_come_and_go():
    """A listener that is added serves at once and after a restart; one that is taken out ends with its
    connections, and leaves the others alone."""
    with Broker("ottla").start() as broker:
        port = free_port()
        with wire.Connection(broker.bootstrap) as c:
            check(not is_served_at(port), "there is nobody yet")
            equal(alter(c, BROKER, "1", **listeners_of(broker, ("EXTRA", port))), 0, "added")
            wait_for(lambda: is_served_at(port), "the new listener")
        broker.stop()
        broker.start()
        wait_for(lambda: is_served_at(port), "the new listener after a restart")
        with wire.Connection(broker.bootstrap) as c, wire.Connection(f"127.0.0.1:{port}") as other:
            create(other, "t")
            equal(produce(other, "t"), 0, "produce by the new listener")
            equal(alter(c, BROKER, "1", **listeners_of(broker)), 0, "taken out")
            check(is_ended(other), "its connection ends with it")
            wait_for(lambda: not is_served_at(port), "nobody listens")
            equal(produce(c, "t"), 0, "the other connection goes on")
            equal(alter(c, BROKER, "1", **listeners_of(broker, ("EXTRA", port))), 0, "added again")
            wait_for(lambda: is_served_at(port), "it is back")
            equal(alter(c, BROKER, "1", listeners=None, listener_security_protocol_map=None), 0, "deleted")
            wait_for(lambda: not is_served_at(port), "it is gone for good")


def is_served_at(port):
    try:
        with wire.Connection(f"127.0.0.1:{port}", seconds=2) as c:
            return c.call("ApiVersions", 0)["errorCode"] == 0
    except (OSError, wire.Closed):
        return False


@case(seconds=60, needs=())
def network_threads():
    """num.network.threads down: the connections of the loops that are not used any more end, clients come back
    and are served; up again: all loops take connections."""
    with Broker("ottla", extra={"num.network.threads": "4"}).start() as broker:
        opened = [wire.Connection(broker.bootstrap) for _ in range(8)]
        for c in opened:
            equal(c.call("ApiVersions", 0)["errorCode"], 0, "served")
        threads = lambda c: alter(c, BROKER, "", num_network_threads=2)  # noqa: E731
        with wire.Connection(broker.bootstrap) as c:
            equal(alter(c, BROKER, "", num_network_threads=1), 42, "less than half")
            equal(alter(c, BROKER, "", num_network_threads=9), 42, "more than double")
        for c in opened:
            try:
                equal(threads(c), 0, "half as many")
                break
            except (OSError, wire.Closed):
                pass
        alive = 0
        for c in opened:
            try:
                alive += c.call("ApiVersions", 0)["errorCode"] == 0
            except (OSError, wire.Closed):
                pass
        check(3 <= alive <= 5, f"{alive} of 8 connections are left")
        for number in (4, 8, 4):
            with wire.Connection(broker.bootstrap) as c:
                equal(alter(c, BROKER, "", num_network_threads=number), 0, f"{number} threads")
            time.sleep(0.05)
            for again in [wire.Connection(broker.bootstrap) for _ in range(8)]:
                equal(again.call("ApiVersions", 0)["errorCode"], 0, "served")
                again.close()


def directories_of(connection):
    """{path: (is cordoned, number of partitions)}"""
    answer = connection.call("DescribeLogDirs", 5, topics=None)
    return {
        d["logDir"]: (d["isCordoned"], sum(len(t["partitions"]) for t in d["topics"]))
        for d in answer["results"]
    }


@case(seconds=60, needs=())
def cordoned_directories():
    """A cordoned directory keeps what it has and takes no more; with all of them cordoned no topic is made."""
    broker = Broker("ottla")
    paths = [os.path.join(broker.folder, name) for name in ("data", "more")]
    with open(broker.properties, "a", encoding="utf-8") as f:
        f.write(f"log.dirs={','.join(paths)}\nnum.partitions=4\n")
    make = lambda c, name: c.call(  # noqa: E731
        "CreateTopics",
        7,
        topics=[{"name": name, "numPartitions": 4, "replicationFactor": 1}],
        timeoutMs=10000,
    )["topics"][0]["errorCode"]
    counts = lambda c: [directories_of(c)[p] for p in paths]  # noqa: E731
    with broker.start():
        with wire.Connection(broker.bootstrap) as c:
            equal(make(c, "a"), 0, "a topic")
            equal([n for _, n in counts(c)], [2, 2], "both take their part")
            equal(alter(c, BROKER, "1", cordoned_log_dirs=paths[1]), 0, "one is cordoned")
            equal(make(c, "b"), 0, "another topic")
            equal(counts(c), [(False, 6), (True, 2)], "the other one takes all of it")
            equal(alter(c, BROKER, "1", cordoned_log_dirs="*"), 0, "all are")
            wait_for(lambda: make(c, "c") == 38, "no topic is made")
        broker.stop()
        broker.start()
        with wire.Connection(broker.bootstrap) as c:
            wait_for(lambda: make(c, "d") == 38, "nor after a restart")
            equal(alter(c, BROKER, "1", cordoned_log_dirs=None), 0, "none is")
            wait_for(lambda: make(c, "e") == 0, "a topic is made again")
            check(all(n > 2 for _, n in counts(c)), lambda: f"both took some: {counts(c)}")


@case(seconds=60, needs=())
def levels_of_loggers():
    """What BROKER_LOGGER sets acts on the lines of that part alone, and inherits as in Kafka."""
    storage = "org.apache.kafka.storage.internals.log"
    with Broker("ottla").start() as broker, wire.Connection(broker.bootstrap) as c:
        equal(describe(c, LOGGER, "1", "root"), ("INFO", 6), "the root's level")
        for name, level, then in (
            (storage, "DEBUG", "DEBUG"),
            ("org.apache.kafka", "ERROR", "DEBUG"),
            (storage, None, "ERROR"),
            ("org.apache.kafka", None, "INFO"),
            ("root", "WARN", "WARN"),
            ("root", "INFO", "INFO"),
        ):
            equal(alter(c, LOGGER, "1", **{name: level}), 0, f"{name} to {level}")
            for logger in (storage, storage + ".LogCleaner"):
                equal(describe(c, LOGGER, "1", logger), (then, 6), f"{logger} after {name} is {level}")
        equal(alter(c, LOGGER, "1", **{"no.such": "INFO"}), 40, "one that is not there")



if __name__ == "__main__":
    main()
