"""ShareGroupHeartbeat, ShareGroupDescribe and what else a share group answers about its members (KIP-932)."""

import time

from exchange import exchange
from lib.case import check, main, wait_for

LEAVE = -1


def beat(peer, group, member, epoch, **fields):
    return peer.call("ShareGroupHeartbeat", 1, groupId=group, memberId=member, memberEpoch=epoch, **fields)


def enter(peer, group, member, topics, **fields):
    return beat(peer, group, member, 0, subscribedTopicNames=topics, **fields)


def prepare(peer, group):
    """The coordinator answers, and assigns as often as it is asked."""
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    wait_for(lambda: beat(peer, group, "nobody", 5)["errorCode"] == 69, "the group's partition to load")
    configs = [{"name": "share.assignment.interval.ms", "configOperation": 0, "value": "0"}]
    answer = peer.must(
        "IncrementalAlterConfigs",
        1,
        validateOnly=False,
        resources=[{"resourceType": 32, "resourceName": group, "configs": configs}],
    )
    check(answer["responses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")
    time.sleep(0.3)
    return group


def describe(peer, group):
    answer = peer.call("ShareGroupDescribe", 1, groupIds=[group], includeAuthorizedOperations=False)
    for g in answer["groups"]:
        for m in g["members"]:
            m["idOfMember"] = m["memberId"]
    return answer


def settled(peer, topic):
    peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)
    time.sleep(0.3)
    return topic


def count(assignment):
    return sum(len(t["partitions"]) for t in (assignment or {"topicPartitions": []})["topicPartitions"])


def until_assigned(peer, group, member, topics, n=None):
    """Beats until the member has n partitions, or some; the answer."""
    epoch = [0]

    def assigned():
        answer = beat(peer, group, member, epoch[0], subscribedTopicNames=topics)
        check(answer["errorCode"] == 0, f"{peer.kind}: {answer}")
        epoch[0] = answer["memberEpoch"]
        has = count(answer["assignment"])
        return answer if has and n in (None, has) else None

    return wait_for(assigned, f"{n or 'some'} partitions")


@exchange(seconds=60, texts=True)
def malformed_heartbeats(peer):
    group = prepare(peer, peer.name("g"))
    topic = settled(peer, peer.create(peer.name("t"), 1))
    yield "no group", enter(peer, "", "m", [topic])
    yield "blank group", enter(peer, " ", "m", [topic])
    yield "no member", enter(peer, group, "", [topic])
    yield "blank member", enter(peer, group, " ", [topic])
    yield "long member", enter(peer, group, "m" * 37, [topic])
    yield "empty rack", enter(peer, group, "m", [topic], rackId="")
    yield "no topics", enter(peer, group, "m", [])
    yield "null topics", enter(peer, group, "m", None)
    yield "epoch -2", beat(peer, group, "m", -2)
    yield "unknown group", beat(peer, peer.name("none"), "m", 3)
    yield "unknown group leaves", beat(peer, peer.name("none"), "m", LEAVE)
    yield "unknown group described", describe(peer, peer.name("none"))


@exchange(seconds=60, texts=True)
def members(peer):
    topic = settled(peer, peer.create(peer.name("t"), 4))
    group = prepare(peer, peer.name("g"))
    first = enter(peer, group, "a", [topic])
    yield "joins", (first["errorCode"], first["memberId"], count(first["assignment"]))
    assigned = until_assigned(peer, group, "a", [topic], 4)
    epoch = assigned["memberEpoch"]
    yield "has all", [t["partitions"] for t in assigned["assignment"]["topicPartitions"]]
    silent = beat(peer, group, "a", epoch)
    yield "beats", (silent["errorCode"], silent["assignment"], silent["heartbeatIntervalMs"])
    yield "newer epoch", beat(peer, group, "a", epoch + 1)["errorCode"]
    yield "much older epoch", beat(peer, group, "a", 1)["errorCode"] if epoch > 2 else 110
    yield "unknown member", beat(peer, group, "x", epoch)
    described = describe(peer, group)
    [g] = described["groups"]
    [m] = g["members"]
    yield "described", (g["groupState"], g["assignorName"], count(m["assignment"]), m["clientId"])
    listed = peer.call("ListGroups", 5, statesFilter=[], typesFilter=["share"])
    yield "listed", peer.own(listed["groups"])
    yield "as a classic group", peer.call("DescribeGroups", 6, groups=[group])
    yield "as a consumer group", peer.call("ConsumerGroupDescribe", 1, groupIds=[group], includeAuthorizedOperations=False)
    consumer = {"memberId": "c", "memberEpoch": 0, "rebalanceTimeoutMs": 100, "topicPartitions": []}
    yield "a consumer joins", peer.call(
        "ConsumerGroupHeartbeat", 1, groupId=group, subscribedTopicNames=[topic], **consumer
    )
    until_assigned(peer, group, "b", [topic], 2)
    until_assigned(peer, group, "a", [topic], 2)
    described = describe(peer, group)
    yield "two share", sorted(
        (m["idOfMember"], count(m["assignment"])) for m in described["groups"][0]["members"]
    )
    yield "deleted while in use", peer.call("DeleteGroups", 2, groupsNames=[group])
    left = beat(peer, group, "b", LEAVE)
    yield "b leaves", left
    until_assigned(peer, group, "a", [topic], 4)
    yield "a leaves", beat(peer, group, "a", LEAVE)
    yield "a leaves again", beat(peer, group, "a", LEAVE)
    [g] = describe(peer, group)["groups"]
    yield "described empty", (g["groupState"], g["members"])


@exchange(seconds=60)
def many_share_few(peer):
    """More members than partitions: each partition goes to several."""
    topic = settled(peer, peer.create(peer.name("t"), 2))
    group = prepare(peer, peer.name("g"))
    for m in "abcde":
        until_assigned(peer, group, m, [topic])
    for m in "abcde":
        until_assigned(peer, group, m, [topic])
    [g] = describe(peer, group)["groups"]
    given = [p for m in g["members"] for t in m["assignment"]["topicPartitions"] for p in t["partitions"]]
    yield "both are shared", (sorted(set(given)), len(g["members"]))
    for m in "abcde":
        beat(peer, group, m, LEAVE)


if __name__ == "__main__":
    main()
