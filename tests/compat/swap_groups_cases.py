"""Groups with members in the middle of a rebalance, taken over by the other broker: the same epochs, assignments and
hash of the topics, and each member goes on with the epoch that it had."""

import os
import time

from exchange import Peer
from lib.broker import Broker
from lib.case import Failure, case, check, equal, main, wait_for

UNDER_TEST = os.environ.get("BROKER", "ottla")
TOPIC = "t"


def heartbeat(peer, member, epoch, **fields):
    answer = peer.must("ConsumerGroupHeartbeat", 1, groupId="g", memberId=member, memberEpoch=epoch, **fields)
    check(answer["errorCode"] == 0, f"{peer.kind}: {member} at {epoch}: {answer}")
    return answer


def enter(peer, member, **fields):
    fields = {"rebalanceTimeoutMs": 60000, "topicPartitions": [], "subscribedTopicNames": [TOPIC], **fields}
    return heartbeat(peer, member, 0, **fields)


def ready(peer):
    wait_for(lambda: peer.must("FindCoordinator", 1, key="g")["errorCode"] == 0, "a coordinator")
    wait_for(
        lambda: peer.must("ListGroups", 5, statesFilter=[], typesFilter=[])["errorCode"] == 0, "loaded groups"
    )
    wait_for(
        lambda: not peer.must("Metadata", 12, topics=[{"name": TOPIC}], allowAutoTopicCreation=False)["topics"][0][
            "errorCode"
        ],
        "the topic",
    )


def known(peer):
    """Everything that a broker says of the group."""
    ready(peer)

    def described():
        answer = peer.must("ConsumerGroupDescribe", 1, groupIds=["g"], includeAuthorizedOperations=False)
        return answer["groups"][0] if answer["groups"][0]["errorCode"] not in (14, 15, 16) else None

    g = wait_for(described, "the group's partition")
    check(g["errorCode"] == 0, f"{peer.kind}: {g}")
    members = sorted(g["members"], key=lambda m: m["memberId"])
    for m in members:
        for part in ("assignment", "targetAssignment"):
            m[part] = sorted(
                (t["topicName"], sorted(t["partitions"])) for t in m[part]["topicPartitions"]
            )
        m["subscribedTopicNames"].sort()
    return {**{k: v for k, v in g.items() if k not in ("members", "authorizedOperations")}, "members": members}


def partitions(peer, *numbers):
    found = peer.must("Metadata", 12, topics=[{"name": TOPIC}], allowAutoTopicCreation=False)["topics"][0]
    return [{"topicId": found["topicId"], "partitions": list(numbers)}]


def begin(peer):
    peer.create(TOPIC, 6)
    ready(peer)
    wait_for(
        lambda: peer.must("ConsumerGroupHeartbeat", 1, groupId="g", memberId="x", memberEpoch=1)["errorCode"]
        == 69,
        "the group's partition",
    )
    configs = [{"name": "consumer.assignment.interval.ms", "configOperation": 0, "value": "0"}]
    resource = {"resourceType": 32, "resourceName": "g", "configs": configs}
    peer.must("IncrementalAlterConfigs", 1, validateOnly=False, resources=[resource])
    time.sleep(0.5)
    enter(peer, "a")
    enter(peer, "s", instanceId="static")
    heartbeat(peer, "s", -2, instanceId="static")
    enter(peer, "b", subscribedTopicNames=[], subscribedTopicRegex="t.*")
    wait_for(lambda: known(peer)["groupEpoch"] >= 4, "the expression's topics")
    a = heartbeat(peer, "a", 2, topicPartitions=partitions(peer, 0, 1, 2, 3, 4, 5))
    check(a["memberEpoch"] == 2, f"{peer.kind}: a is to revoke first: {a}")
    return known(peer)


def go_on(peer, before):
    """a gives up, b gets, the static member returns."""
    equal(known(peer), before, f"the group as {peer.kind} reads it")
    [a] = [m for m in before["members"] if m["memberId"] == "a"]
    [kept] = [p for _, p in a["targetAssignment"]]
    a = heartbeat(peer, "a", 2, topicPartitions=partitions(peer, *kept))
    epoch = before["groupEpoch"]
    check(a["memberEpoch"] == epoch, f"{peer.kind}: a: {a}")
    [b] = [m for m in before["members"] if m["memberId"] == "b"]
    wait_for(
        lambda: heartbeat(peer, "b", b["memberEpoch"], topicPartitions=[])["memberEpoch"] == epoch,
        "b at the group's epoch",
    )
    s = enter(peer, "s2", instanceId="static")
    check(s["memberEpoch"] == epoch, f"{peer.kind}: the group has a new epoch: {s}")
    return known(peer)


def end(peer, before):
    equal(known(peer), before, f"the group as {peer.kind} reads it")
    epoch = before["groupEpoch"]
    for m in before["members"]:
        beats = heartbeat(peer, m["memberId"], m["memberEpoch"], instanceId=m["instanceId"])
        check(beats["memberEpoch"] == epoch, f"{peer.kind}: {beats}")
    for m in before["members"]:
        heartbeat(peer, m["memberId"], -1, instanceId=m["instanceId"])
    equal(known(peer)["groupState"], "Empty", "state at the end")


def turn(broker, kind, what):
    broker.start(kind)
    peer = Peer(kind, broker.bootstrap, "swap")
    try:
        return what(peer)
    except Failure as e:
        raise Failure(f"{kind}: {e}\n--- its log:\n{broker.log_tail(15)}") from None
    finally:
        peer.close()
        broker.stop()


def across(first, second):
    with Broker(first) as broker:
        if first != "kafka":
            broker.format()
        before = turn(broker, first, begin)
        after = turn(broker, second, lambda peer: go_on(peer, before))
        turn(broker, first, lambda peer: end(peer, after))


@case(seconds=180, needs=["java"])
def from_kafka_and_back():
    across("kafka", UNDER_TEST)


@case(seconds=180, needs=["java"])
def from_ottla_and_back():
    across(UNDER_TEST, "kafka")


if __name__ == "__main__":
    main()
