"""One directory, two brokers in turn, with share groups in the middle of their work: what was accepted, given
back, rejected, and what nobody answered for."""

import os

from exchange import Peer
from lib.broker import Broker
from lib.case import case, check, equal, main, wait_for
from share import Member, ack, coordinator, initialize, produce, read, summary

GROUP = "swap-share"
TOPIC = "swap-share-topic"


def under_test():
    return os.environ.get("BROKER", "ottla")


def turn(broker, kind, work, kill):
    broker.start(kind)
    peer = Peer(kind, broker.bootstrap, "swap")
    try:
        member = work(peer)
        if not kill:
            member.connection.close()
            wait_for(lambda: released(known(peer)[1]), "what the member had is given back")
        return known(peer)[1]
    finally:
        if kill:
            broker.kill()
        peer.close()
        check(kill or broker.stop(), f"{kind} did not stop cleanly\n{broker.log_tail(15)}")


def released(now):
    """The last record of both, which a member had."""
    return all(p["stateBatches"] and p["stateBatches"][-1]["lastOffset"] == 29 for p, _ in now)


def known(peer):
    """The share partitions as the coordinator knows them, and what is needed to go on."""
    described = wait_for(lambda: there(peer), "the topic")
    coordinator(peer, GROUP, described["topicId"], 2)
    return described["topicId"], [
        [part(read(peer, GROUP, described["topicId"], p)), part(summary(peer, GROUP, described["topicId"], p))]
        for p in (0, 1)
    ]


def there(peer):
    found = peer.must("Metadata", 12, topics=[{"name": TOPIC}], allowAutoTopicCreation=False)["topics"][0]
    asked = [{"partitionIndex": p, "timestamp": -1} for p in (0, 1)]
    ends = peer.must("ListOffsets", 5, replicaId=-1, topics=[{"name": TOPIC, "partitions": asked}])
    led = not found["errorCode"] and all(p["errorCode"] == 0 for p in ends["topics"][0]["partitions"])
    return found if led else None


def part(answer):
    found = answer["results"][0]["partitions"][0]
    check(found["errorCode"] == 0, f"{found}")
    return {k: v for k, v in found.items() if k != "leaderEpoch"}


def held(answer):
    return {
        p["partitionIndex"]: [(a["firstOffset"], a["lastOffset"], a["deliveryCount"]) for a in p["acquiredRecords"]]
        for t in answer["responses"]
        for p in t["partitions"]
        if p["acquiredRecords"]
    }


def begin(peer):
    """Two partitions of 30 records. Of the first: 0-4 accepted, 5-9 given back, 10-14 rejected, 15-19 one by one;
    the rest, and all of the second, is held by a member that never says anything."""
    topic = peer.create(TOPIC, 2)
    topic_id = peer.topic_id(topic)
    coordinator(peer, GROUP, topic_id, 2)
    for p in (0, 1):
        initialize(peer, GROUP, topic_id, p)
        for _ in range(6):
            produce(peer, topic, 5, p)
    m = Member(peer, GROUP, topic_id, 2, "first")
    m.first_records()
    acks = [ack(0, 4, 1), ack(5, 9, 2), ack(10, 14, 3), ack(15, 19, 1, 2, 1, 3, 2)]
    answer = m.acknowledge({0: acks})
    equal([p["errorCode"] for t in answer["responses"] for p in t["partitions"]], [0], "acknowledgements")
    return m


def go_on(peer, before, count):
    """What was written is there; what was given back or never answered comes again; some of it is accepted."""
    topic_id, now = known(peer)
    equal(now, before, f"{peer.kind}: the states")
    m = Member(peer, GROUP, topic_id, 2, f"member-{peer.kind}-{count}")
    got = {}

    def all_held():
        for p, ranges in held(m.fetch(wait=300)).items():
            got.setdefault(p, []).extend(ranges)
        return sum(last - first + 1 for ranges in got.values() for first, last, _ in ranges) == expected(before)

    wait_for(all_held, f"{peer.kind}: all that is to be delivered")
    for p, ranges in got.items():
        for first, last, deliveries in ranges:
            for offset in range(first, last + 1):
                equal(deliveries, deliveries_before(before[p][0], offset) + 1, f"deliveries of {p}:{offset}")
    first, last, _ = got[0][0]
    m.acknowledge({0: [ack(first, last, 1)], 1: [ack(got[1][0][0], got[1][0][0], 2)]})
    return m


def deliveries_before(partition, offset):
    for b in partition["stateBatches"]:
        if b["firstOffset"] <= offset <= b["lastOffset"]:
            return b["deliveryCount"]
    return 0


def expected(before):
    """How many offsets are not done."""
    n = 0
    for partition, _ in before:
        done = sum(
            b["lastOffset"] - b["firstOffset"] + 1 for b in partition["stateBatches"] if b["deliveryState"] in (2, 4)
        )
        n += 30 - partition["startOffset"] - done
    return n


def swap(first, second, kill=False):
    with Broker(first) as broker:
        if first != "kafka":
            broker.format()
        state = turn(broker, first, begin, kill)
        for count, kind in enumerate((second, first, second)):
            state = turn(broker, kind, lambda peer, s=state, c=count: go_on(peer, s, c), kill)


@case(seconds=240, needs=["java"])
def kafka_first():
    swap("kafka", under_test())


@case(seconds=240, needs=["java"])
def ottla_first():
    swap(under_test(), "kafka")


@case(seconds=240, needs=["java"])
def after_a_kill():
    """Nothing is given back: the records that a member had are as they were before."""
    swap("kafka", under_test(), True)


if __name__ == "__main__":
    main()
