"""The same exchange with Apache Kafka and with ottla, answers compared field by field.

A scenario is a generator of one Peer that yields (label, answer); @exchange makes a case of it, which runs it
against the reference and the broker under test at the same time and fails with every difference. An answer is
a dict, or 'closed' when the broker closed the connection. What may differ between two brokers that are both
right is declared here, once, with the reason.
"""

import os
import threading

from lib import wire
from lib.case import Failure, case, check, wait_for

# Never the same, or of no meaning to a client.
DROPPED = {
    "throttleTimeMs": "quota state",
    "host": "address",
    "port": "address",
    "finalizedFeaturesEpoch": "offset of the metadata log",
    "totalBytes": "the file system",
    "usableBytes": "the file system",
    "lastFetchTimestamp": "clock",
    "lastCaughtUpTimestamp": "clock",
    "logDir": "path",
    "groupEpoch": "heartbeat-dependent",
}
# Identifiers that a broker chooses: replaced by what they stand for.
IDENTIFIERS = {
    "topicId",
    "memberId",
    "leader",
    "producerId",
    "sessionId",
    "replicaDirectoryId",
    "directoryId",
    "memberIds",
}
# Sentences: being there is compared, the words are each broker's own.
SENTENCES = {"errorMessage", "documentation", "batchIndexErrorMessage", "acknowledgeErrorMessage"}
# Clock readings: a real one is as good as another, -1 and 0 are not.
TIMES = {"logAppendTimeMs", "transactionStartTimeMs", "lastTimestamp"}
# Lists whose order carries meaning; all others are sets to their clients, and are compared sorted.
ORDERED = {"synonyms"}
ZERO = "00" * 16
# What the reference says when an exception of its own was not caught: any error is as right as that, a
# success is not.
UNKNOWN = -1


class Peer:
    """One of the two brokers as a scenario sees it. name() gives the same names on both."""

    def __init__(self, kind, bootstrap, prefix, texts=False):
        self.kind, self.bootstrap, self.prefix, self.texts = kind, bootstrap, prefix, texts
        self.known, self.connections, self.settled = {}, [], 0
        self.connection = None

    def name(self, text):
        return f"{self.prefix}-{text}"

    def own(self, names):
        """Of a list of everything, what this scenario made."""
        return [
            n
            for n in names
            if (n.get("name") or n.get("groupId") or n.get("topicName") or "").startswith(self.prefix)
        ]

    def connect(self, **options):
        self.connections.append(wire.Connection(self.bootstrap, **options))
        return self.connections[-1]

    def call(self, name, version, **fields):
        """The answer, or 'closed'; the next call after that has a new connection."""
        try:
            self.connection = self.connection or self.connect()
            answer = self.connection.call(name, version, **fields)
        except wire.Closed:
            self.connection = None
            return "closed"
        self.learn(answer)
        return answer

    def must(self, name, version, **fields):
        """A call that prepares something."""
        answer = self.call(name, version, **fields)
        check(answer != "closed", f"{self.kind} closed the connection at {name} v{version}")
        return answer

    def learn(self, answer):
        """Topic ids stand for their topics."""
        for topic in (answer.get("topics") or []) if isinstance(answer, dict) else []:
            if isinstance(topic, dict) and topic.get("topicId", ZERO) != ZERO and topic.get("name"):
                self.known[topic["topicId"]] = f"<id of {topic['name']}>"

    def stands_for(self, identifier, what):
        self.known[identifier] = f"<{what}>"

    def topic_id(self, topic):
        return next(i for i, name in self.known.items() if name == f"<id of {topic}>")

    def create(self, topic, partitions=1, **configs):
        """A topic whose partitions have a leader that answers."""
        entries = [{"name": k.replace("_", "."), "value": str(v)} for k, v in configs.items()]
        made = self.must(
            "CreateTopics",
            7,
            timeoutMs=15000,
            topics=[{"name": topic, "numPartitions": partitions, "replicationFactor": 1, "configs": entries}],
        )
        check(made["topics"][0]["errorCode"] == 0, f"{self.kind}: {made}")
        self.ready(topic, partitions)
        return topic

    def ready(self, topic, partitions):
        def leads():
            found = self.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)[
                "topics"
            ][0]
            if len(found["partitions"]) != partitions or any(p["errorCode"] for p in found["partitions"]):
                return False
            asked = [{"partitionIndex": p, "timestamp": -1} for p in range(partitions)]
            answer = self.must("ListOffsets", 5, replicaId=-1, topics=[{"name": topic, "partitions": asked}])
            return all(p["errorCode"] == 0 for p in answer["topics"][0]["partitions"])

        wait_for(leads, f"{self.kind}: leaders of {topic}")

    def produce(self, topic, records, partition=0, version=9, acks=-1, **fields):
        data = [{"name": topic, "partitionData": [{"index": partition, "records": records}]}]
        return self.call("Produce", version, acks=acks, timeoutMs=10000, topicData=data, **fields)

    def normal(self, value, field=""):
        """The value without what may differ."""
        if field in SENTENCES and not (self.texts and field == "errorMessage"):
            return None if value is None else "<text>"
        if field in TIMES:
            return "<time>" if value > 0 else value
        if isinstance(value, dict):
            return {k: self.normal(v, k) for k, v in value.items() if k not in DROPPED}
        if isinstance(value, list):
            items = [self.normal(v, field) for v in value]
            return items if field in ORDERED else sorted(items, key=repr)
        if field in IDENTIFIERS and value in self.known:
            return self.known[value]
        if field in IDENTIFIERS and value not in ("", None, ZERO, 0, -1):
            return f"<a {field}>"
        return value

    def close(self):
        for connection in self.connections:
            connection.close()


class Side(threading.Thread):
    """A scenario against one broker."""

    def __init__(self, peer, scenario):
        super().__init__()
        self.peer, self.scenario, self.steps, self.failure = peer, scenario, [], None

    def run(self):
        try:
            for label, answer in self.scenario(self.peer):
                self.steps.append((label, self.peer.normal(answer)))
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e
        finally:
            self.peer.close()


def shown(value, field):
    if field.endswith("rrorCode") and isinstance(value, int):
        return f"{value} {ERRORS.get(value, '?')}"
    text = repr(value)
    return text if len(text) < 200 else text[:150] + f"… ({len(text)})"


ERRORS = wire.errors()


def differences(kafka, other, path=""):
    """Lines 'path: kafka X, ottla Y' for two normal values."""
    if isinstance(kafka, dict) and isinstance(other, dict):
        if kafka.get("errorCode") == UNKNOWN and other.get("errorCode") not in (0, None):
            kafka, other = (
                {k: v for k, v in side.items() if k not in ("errorCode", "errorMessage")}
                for side in (kafka, other)
            )
        for key in list(kafka) + [k for k in other if k not in kafka]:
            yield from differences(
                kafka.get(key, "<absent>"), other.get(key, "<absent>"), f"{path}.{key}" if path else key
            )
    elif isinstance(kafka, list) and isinstance(other, list) and len(kafka) == len(other):
        for i, (a, b) in enumerate(zip(kafka, other)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(kafka, list) and isinstance(other, list):
        missing, more = [a for a in kafka if a not in other], [b for b in other if b not in kafka]
        counts = f"{len(kafka)} in kafka, {len(other)} here"
        yield f"{path}: {counts}; missing {shown(missing, '')}, more {shown(more, '')}"
    elif kafka != other:
        field = path.rsplit(".", 1)[-1]
        yield f"{path}: kafka {shown(kafka, field)}, here {shown(other, field)}"


def compare(kafka, other):
    lines, steps = [], 0
    for (label, a), (other_label, b) in zip(kafka.steps, other.steps):
        if label != other_label:
            lines.append(
                f"after this the exchanges are no longer the same: kafka {label}, here {other_label}"
            )
            break
        steps += 1
        lines += [f"{label}: {line}" for line in differences(a, b)]
    for side in (kafka, other):
        if side.failure:
            after = side.steps[-1][0] if side.steps else "nothing"
            lines.append(f"{side.peer.kind} after '{after}': {type(side.failure).__name__}: {side.failure}")
    if not lines and len(kafka.steps) != len(other.steps):
        lines.append(f"kafka has {len(kafka.steps)} answers, here are {len(other.steps)}")
    check(steps or lines, "the scenario has no steps")
    return lines, steps


def exchange(seconds=60, alone=False, texts=False):
    """Makes a case of a scenario. texts: the words of error messages are the same."""

    def mark(scenario):
        def run():
            prefix = f"{scenario.__name__.replace('_', '-')}-{os.getpid()}"
            sides = [
                Side(Peer("kafka", os.environ["REFERENCE"], prefix, texts), scenario),
                Side(
                    Peer(os.environ.get("BROKER", "ottla"), os.environ["BOOTSTRAP"], prefix, texts), scenario
                ),
            ]
            for side in sides:
                side.start()
            for side in sides:
                side.join()
            lines, steps = compare(*sides)
            if lines:
                most = int(os.environ.get("DIFFERENCES", "40"))
                more = (
                    [f"… and {len(lines) - most} more (DIFFERENCES=n shows n)"] if len(lines) > most else []
                )
                raise Failure(
                    f"{len(lines)} differences in {steps} answers\n" + "\n".join(lines[:most] + more)
                )
            print(f"{steps} answers are the same")

        run.__name__ = scenario.__name__
        return case(seconds=seconds, needs=["reference", "broker"], alone=alone)(run)

    return mark
