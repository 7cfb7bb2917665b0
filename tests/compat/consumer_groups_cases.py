"""ConsumerGroupHeartbeat, ConsumerGroupDescribe and what else a group of KIP-848 answers: each member's way through
its epochs, fencing, static members, regular expressions, offsets with member epochs, migration from and to classic.
Members choose their own ids (version 1), so both brokers assign the same partitions."""

import time

from exchange import exchange
from lib.case import check, main, wait_for

NOTHING = b"\xff\xff\xff\xff"
LEAVE, LEAVE_STATIC = -1, -2


def text(s):
    return len(s).to_bytes(2, "big") + s.encode()


def subscription(topics, owned=(), rack=None):
    """A ConsumerProtocolSubscription, version 3. owned: (topic, partitions)."""
    out = b"\0\3" + len(topics).to_bytes(4, "big") + b"".join(map(text, topics)) + NOTHING
    out += len(owned).to_bytes(4, "big")
    for topic, partitions in owned:
        out += text(topic) + len(partitions).to_bytes(4, "big") + b"".join(p.to_bytes(4, "big") for p in partitions)
    return out + NOTHING + (b"\xff\xff" if rack is None else text(rack))


def join(peer, v, group, member="", **fields):
    fields = {"protocols": [{"name": "range", "metadata": subscription([])}], "protocolType": "consumer", **fields}
    return peer.call(
        "JoinGroup", v, groupId=group, memberId=member, sessionTimeoutMs=10000, rebalanceTimeoutMs=10000, **fields
    )


def sync(peer, v, group, generation, member, assignments=(), **fields):
    return peer.call(
        "SyncGroup",
        v,
        groupId=group,
        generationId=generation,
        memberId=member,
        assignments=list(assignments),
        **fields,
    )


def beat(peer, group, member, epoch, v=1, **fields):
    return peer.call("ConsumerGroupHeartbeat", v, groupId=group, memberId=member, memberEpoch=epoch, **fields)


def enter(peer, group, member, topics=None, v=1, **fields):
    fields = {"rebalanceTimeoutMs": 10000, "topicPartitions": [], "subscribedTopicNames": topics, **fields}
    return beat(peer, group, member, 0, v, **fields)


def prepare(peer, group):
    """The coordinator answers, and assigns as often as it is asked."""
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    wait_for(lambda: beat(peer, group, "nobody", 5)["errorCode"] == 69, "the group's partition to load")
    configs = [{"name": "consumer.assignment.interval.ms", "configOperation": 0, "value": "0"}]
    answer = peer.must(
        "IncrementalAlterConfigs",
        1,
        validateOnly=False,
        resources=[{"resourceType": 32, "resourceName": group, "configs": configs}],
    )
    check(answer["responses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")
    time.sleep(0.3)
    return group


def describe(peer, group, v=1):
    answer = peer.call("ConsumerGroupDescribe", v, groupIds=[group], includeAuthorizedOperations=False)
    for g in answer["groups"]:
        g["epochOfGroup"] = g["groupEpoch"]
        for m in g["members"]:
            m["idOfMember"] = m["memberId"] if len(m["memberId"]) < 22 else "made"
    return answer


def has(peer, topic, *partitions):
    return [{"topicId": peer.topic_id(topic), "partitions": list(partitions)}]


def settled(peer, topic):
    """The topic's id is known to the scenario, and the coordinator has heard of the topic."""
    peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)
    time.sleep(0.3)
    return topic


@exchange(seconds=90, texts=True)
def malformed_heartbeats(peer):
    group = prepare(peer, peer.name("g"))
    topic = settled(peer, peer.create(peer.name("t"), 2))
    for v in (0, 1):
        call = lambda g, m, e, w=v, **f: beat(peer, g, m, e, w, **f)  # noqa: E731
        yield f"v{v} no group", call("", "m", 0)
        yield f"v{v} blank group", call("  ", "m", 0)
        yield f"v{v} no member", call(group, "", 1)
        yield f"v{v} no member leaves", call(group, "", LEAVE)
        yield f"v{v} blank member", call(group, " ", 3)
        yield f"v{v} empty instance", call(group, "m", 0, instanceId="")
        yield f"v{v} empty rack", call(group, "m", 0, rackId=" ")
        yield f"v{v} no timeout", call(group, "m", 0)
        yield f"v{v} no partitions", call(group, "m", 0, rebalanceTimeoutMs=100)
        yield f"v{v} some partitions", call(
            group, "m", 0, rebalanceTimeoutMs=100, topicPartitions=has(peer, topic, 0)
        )
        yield f"v{v} no topics", call(group, "m", 0, rebalanceTimeoutMs=100, topicPartitions=[])
        yield f"v{v} epoch -3", call(group, "m", -3)
        yield f"v{v} leaves for a while without instance", call(group, "m", LEAVE_STATIC)
        yield f"v{v} assignor", enter(peer, group, "m", [topic], v, serverAssignor="sticky")
        yield f"v{v} unknown group", call(peer.name("none"), "m", 1)
        yield f"v{v} unknown group leaves", call(peer.name("none"), "m", LEAVE)
        yield f"v{v} unknown group leaves for a while", call(
            peer.name("none"), "m", LEAVE_STATIC, instanceId="i"
        )
    for pattern in ("(", "[", "a**", "a{1001}", "(?<n>a", "(?=a)", r"\8", "*a", "a\\", "[z-a]", "[[:no:]]", "(?P<n>a)(?P<n>b)", r"\pX"):
        answer = enter(peer, group, "m", subscribedTopicRegex=pattern)
        yield f"regex {pattern}", answer


@exchange(seconds=90, texts=True)
def one_member(peer):
    """From its first heartbeat to its last; every version."""
    topic = settled(peer, peer.create(peer.name("t"), 3))
    other = settled(peer, peer.create(peer.name("u"), 1))
    for v in (0, 1):
        group = prepare(peer, peer.name(f"g{v}"))
        yield f"v{v} described before", describe(peer, group, v)
        if v == 0:
            made = enter(peer, group, "", [topic], v)
            me = made["memberId"]
            peer.stands_for(me, "me")
            yield f"v{v} joins without an id", made
        else:
            me = "me"
            yield f"v{v} joins", enter(peer, group, me, [topic], v)
        yield f"v{v} beats", beat(peer, group, me, 2, v)
        yield f"v{v} has it", beat(peer, group, me, 2, v, topicPartitions=has(peer, topic, 0, 1, 2))
        yield f"v{v} described", describe(peer, group, v)
        yield f"v{v} greater epoch", beat(peer, group, me, 3, v)
        yield f"v{v} smaller epoch", beat(peer, group, me, 1, v)
        yield f"v{v} joins again", enter(peer, group, me, [topic], v)
        yield f"v{v} the same in full", beat(
            peer,
            group,
            me,
            2,
            v,
            rebalanceTimeoutMs=10000,
            subscribedTopicNames=[topic],
            topicPartitions=has(peer, topic, 0, 1, 2),
        )
        yield f"v{v} more topics", beat(peer, group, me, 2, v, subscribedTopicNames=[topic, other, "none"])
        yield f"v{v} described with more", describe(peer, group, v)
        yield f"v{v} an epoch behind with what it has", beat(
            peer, group, me, 2, v, topicPartitions=has(peer, topic, 0, 1, 2)
        )
        yield f"v{v} an epoch behind, silent", beat(peer, group, me, 2, v)
        yield f"v{v} other topics", beat(peer, group, me, 3, v, subscribedTopicNames=[other])
        yield f"v{v} described while it revokes", describe(peer, group, v)
        yield f"v{v} still revokes", beat(peer, group, me, 3, v, topicPartitions=has(peer, topic, 1))
        yield f"v{v} has revoked", beat(peer, group, me, 3, v, topicPartitions=has(peer, other, 0))
        yield f"v{v} no topics", beat(peer, group, me, 4, v, subscribedTopicNames=[])
        yield f"v{v} described without topics", describe(peer, group, v)
        yield f"v{v} range", beat(
            peer, group, me, 4, v, serverAssignor="range", subscribedTopicNames=[topic], topicPartitions=[]
        )
        yield f"v{v} described with range", describe(peer, group, v)
        listed = peer.call("ListGroups", 5, statesFilter=[], typesFilter=["consumer"])
        yield f"v{v} listed", peer.own(listed["groups"])
        listed = peer.call("ListGroups", 5, statesFilter=["stable", "reconciling"], typesFilter=[])
        yield f"v{v} listed by state", peer.own(listed["groups"])
        yield f"v{v} as a classic group", peer.call("DescribeGroups", 6, groups=[group])
        yield f"v{v} deleted while in use", peer.call("DeleteGroups", 2, groupsNames=[group])
        yield f"v{v} leaves", beat(peer, group, me, LEAVE, v)
        again = beat(peer, group, me, LEAVE, v)
        yield f"v{v} leaves again", again if v else again["errorCode"]
        yield f"v{v} described empty", describe(peer, group, v)
        yield f"v{v} an unknown member", beat(peer, group, "who", 5, v)
        yield f"v{v} deleted", peer.call("DeleteGroups", 2, groupsNames=[group])
        yield f"v{v} described after", describe(peer, group, v)


@exchange(seconds=90, texts=True)
def several_members(peer):
    """Partitions move from member to member, each revoked before it is given."""
    topic = settled(peer, peer.create(peer.name("t"), 6))
    for assignor in ("uniform", "range"):
        group = prepare(peer, peer.name(assignor))
        yield f"{assignor} a", enter(peer, group, "a", [topic], serverAssignor=assignor)
        yield f"{assignor} b", enter(peer, group, "b", [topic], serverAssignor=assignor)
        yield f"{assignor} assigning", describe(peer, group)
        yield f"{assignor} a is told to revoke", beat(
            peer, group, "a", 2, topicPartitions=has(peer, topic, 0, 1, 2, 3, 4, 5)
        )
        yield f"{assignor} b waits", beat(peer, group, "b", 3, topicPartitions=[])
        yield f"{assignor} reconciling", describe(peer, group)
        yield f"{assignor} a revokes some", beat(
            peer, group, "a", 2, topicPartitions=has(peer, topic, 0, 1, 2, 3)
        )
        yield f"{assignor} a has revoked", beat(peer, group, "a", 2, topicPartitions=has(peer, topic, 0, 1, 2))
        yield f"{assignor} b gets", beat(peer, group, "b", 3, topicPartitions=[])
        yield f"{assignor} c", enter(peer, group, "c", [topic])
        yield f"{assignor} a", beat(peer, group, "a", 3, topicPartitions=has(peer, topic, 0, 1, 2))
        yield f"{assignor} b", beat(peer, group, "b", 3, topicPartitions=has(peer, topic, 3, 4, 5))
        yield f"{assignor} with c", describe(peer, group)
        yield f"{assignor} a leaves", beat(peer, group, "a", LEAVE)
        yield f"{assignor} b", beat(peer, group, "b", 3, topicPartitions=has(peer, topic, 3, 4))
        yield f"{assignor} c", beat(peer, group, "c", 4, topicPartitions=[])
        yield f"{assignor} b", beat(peer, group, "b", 4, topicPartitions=has(peer, topic, 3, 4))
        yield f"{assignor} b again", beat(peer, group, "b", 5, topicPartitions=has(peer, topic, 3, 4))
        yield f"{assignor} c again", beat(peer, group, "c", 5, topicPartitions=[])
        yield f"{assignor} without a", describe(peer, group)
        yield f"{assignor} b leaves", beat(peer, group, "b", LEAVE)
        yield f"{assignor} c leaves", beat(peer, group, "c", LEAVE)


@exchange(seconds=90, texts=True)
def uneven_subscriptions(peer):
    """Members with different topics, and topics of different sizes."""
    small = settled(peer, peer.create(peer.name("small"), 1))
    middle = settled(peer, peer.create(peer.name("middle"), 4))
    large = settled(peer, peer.create(peer.name("large"), 9))
    for assignor in ("uniform", "range"):
        group = prepare(peer, peer.name(assignor))
        enter(peer, group, "a", [small, middle, large], serverAssignor=assignor)
        enter(peer, group, "b", [large], serverAssignor=assignor)
        enter(peer, group, "c", [middle, large, "missing"], serverAssignor=assignor)
        answer = describe(peer, group)
        yield f"{assignor} sizes", sorted(
            (m["idOfMember"], sum(len(t["partitions"]) for t in m["targetAssignment"]["topicPartitions"]))
            for m in answer["groups"][0]["members"]
        )
        given = [
            (t["topicName"], p)
            for m in answer["groups"][0]["members"]
            for t in m["targetAssignment"]["topicPartitions"]
            for p in t["partitions"]
        ]
        check(len(given) == len(set(given)) == 14, f"{peer.kind}: {given}")
        for m in "abc":
            beat(peer, group, m, LEAVE)


@exchange(seconds=90, texts=True)
def static_members(peer):
    topic = settled(peer, peer.create(peer.name("t"), 4))
    group = prepare(peer, peer.name("g"))
    static = {"instanceId": "one"}
    yield "joins", enter(peer, group, "a", [topic], **static)
    yield "beats", beat(peer, group, "a", 2, **static)
    yield "beats without its instance", beat(peer, group, "a", 2)
    yield "another with its instance", enter(peer, group, "b", [topic], **static)
    yield "unknown instance", beat(peer, group, "a", 2, instanceId="two")
    yield "wrong member", beat(peer, group, "b", 2, **static)
    yield "wrong member leaves", beat(peer, group, "b", LEAVE_STATIC, **static)
    yield "unknown instance leaves", beat(peer, group, "a", LEAVE_STATIC, instanceId="two")
    yield "leaves for a while", beat(peer, group, "a", LEAVE_STATIC, **static)
    yield "described", describe(peer, group)
    yield "a dynamic member meanwhile", enter(peer, group, "d", [topic])
    yield "returns", enter(peer, group, "b", [topic], **static)
    yield "described", describe(peer, group)
    yield "the old id", beat(peer, group, "a", 2, **static)
    yield "the new id", beat(peer, group, "b", 3, topicPartitions=has(peer, topic, 0, 1), **static)
    yield "the dynamic member", beat(peer, group, "d", 3, topicPartitions=[])
    yield "described", describe(peer, group)
    yield "leaves for good", beat(peer, group, "b", LEAVE, **static)
    yield "described", describe(peer, group)
    yield "the dynamic member leaves", beat(peer, group, "d", LEAVE)


def commit(peer, group, member, epoch, topic, partition=0, v=9, **fields):
    place = [{"partitionIndex": partition, "committedOffset": 7, "committedMetadata": ""}]
    named = {"topicId": peer.topic_id(topic)} if v >= 10 else {"name": topic}
    return peer.call(
        "OffsetCommit",
        v,
        groupId=group,
        memberId=member,
        generationIdOrMemberEpoch=epoch,
        topics=[{**named, "partitions": place}],
        **fields,
    )


def fetch(peer, group, topic, v, member=None, epoch=-1):
    named = {"topicId": peer.topic_id(topic)} if v >= 10 else {"name": topic}
    asked = {"groupId": group, "topics": [{**named, "partitionIndexes": [0, 1]}]}
    if v >= 9:
        asked = {**asked, "memberId": member, "memberEpoch": epoch}
    return peer.call("OffsetFetch", v, groups=[asked], requireStable=False)


@exchange(seconds=90, texts=True)
def offsets(peer):
    topic = settled(peer, peer.create(peer.name("t"), 2))
    group = prepare(peer, peer.name("g"))
    enter(peer, group, "a", [topic])
    for v in range(2, 11):
        yield f"commit v{v}", commit(peer, group, "a", 2, topic, v=v)
    for v in (9, 10):
        yield f"v{v} unknown member", commit(peer, group, "x", 2, topic, v=v)
        yield f"v{v} no member", commit(peer, group, "", -1, topic, v=v)
        yield f"v{v} newer epoch", commit(peer, group, "a", 3, topic, v=v)
        yield f"v{v} older epoch", commit(peer, group, "a", 1, topic, v=v)
        yield f"v{v} unknown group", commit(peer, peer.name("none"), "a", 1, topic, v=v)
    for v in range(8, 11):
        yield f"fetch v{v}", fetch(peer, group, topic, v, "a", 2)
        yield f"fetch v{v} nobody", fetch(peer, group, topic, v)
        yield f"fetch v{v} old epoch", fetch(peer, group, topic, v, "a", 1)
        yield f"fetch v{v} unknown member", fetch(peer, group, topic, v, "x", 1)
    beat(peer, group, "a", 2, subscribedTopicNames=[topic, "another"])
    yield "at the epoch before, partition since then", commit(peer, group, "a", 2, topic)
    yield "at the epoch before that", commit(peer, group, "a", 1, topic)
    places = [{"name": topic, "partitions": [{"partitionIndex": 0}]}]
    yield "delete while subscribed", peer.call("OffsetDelete", 0, groupId=group, topics=places)
    beat(peer, group, "a", LEAVE)
    yield "an administrator of an empty group", commit(peer, group, "", -1, topic)
    yield "a member that has left", commit(peer, group, "a", 3, topic)
    yield "delete", peer.call("OffsetDelete", 0, groupId=group, topics=places)
    yield "fetch", fetch(peer, group, topic, 9)


@exchange(seconds=90)
def regular_expressions(peer):
    one = settled(peer, peer.create(peer.name("x-1"), 2))
    settled(peer, peer.create(peer.name("x-2"), 1))
    settled(peer, peer.create(peer.name("y-1"), 1))
    group = prepare(peer, peer.name("g"))
    pattern = f"{peer.name('x')}-.*"
    yield "joins", enter(peer, group, "a", subscribedTopicRegex=pattern)

    def assigned(epoch, n):
        found = beat(peer, group, "a", epoch, topicPartitions=[])
        return found if sum(len(t["partitions"]) for t in (found["assignment"] or {"topicPartitions": []})["topicPartitions"]) == n else None

    yield "has topics", wait_for(lambda: assigned(1, 3), "the topics that match")
    yield "described", describe(peer, group)
    yield "names as well", beat(peer, group, "a", 2, subscribedTopicNames=[one, peer.name("y-1")])
    yield "described with names", describe(peer, group)
    yield "no expression any more", beat(peer, group, "a", 3, subscribedTopicRegex="")
    yield "described without", describe(peer, group)
    yield "leaves", beat(peer, group, "a", LEAVE)


@exchange(seconds=120, texts=True)
def metadata_changes(peer):
    """Partitions are added, the topic is deleted and created again: each is a new epoch."""
    topic = settled(peer, peer.create(peer.name("t"), 2))
    group = prepare(peer, peer.name("g"))
    yield "joins", enter(peer, group, "a", [topic, peer.name("later")])
    peer.must(
        "CreatePartitions", 3, timeoutMs=10000, validateOnly=False, topics=[{"name": topic, "count": 3, "assignments": None}]
    )
    peer.ready(topic, 3)
    time.sleep(0.3)
    yield "with a third partition", beat(peer, group, "a", 2)
    settled(peer, peer.create(peer.name("later"), 1))
    yield "with another topic", beat(peer, group, "a", 3)
    peer.must("DeleteTopics", 6, timeoutMs=10000, topics=[{"name": topic, "topicId": "00" * 16}])
    time.sleep(0.5)
    yield "without the topic", beat(peer, group, "a", 4, topicPartitions=has(peer, peer.name("later"), 0))
    yield "described", describe(peer, group)
    yield "leaves", beat(peer, group, "a", LEAVE)


def counted(answer):
    """The reference goes through members in the order of a hash: how many partitions each has is compared."""
    if isinstance(answer, dict):
        return {k: len(v) if k == "partitions" else counted(v) for k, v in answer.items()}
    return [counted(v) for v in answer] if isinstance(answer, list) else answer


def join_classic(peer, group, member, topics, v=9, owned=(), **fields):
    protocols = [{"name": "range", "metadata": subscription(topics, owned)}]
    return join(peer, v, group, member, protocolType="consumer", protocols=protocols, **fields)


@exchange(seconds=120)
def upgrade_and_downgrade(peer):
    """A classic group gets a member of the consumer protocol, and becomes classic again when that leaves."""
    topic = settled(peer, peer.create(peer.name("t"), 4))
    group = prepare(peer, peer.name("g"))
    given = join_classic(peer, group, "", [topic])
    me = given["memberId"]
    peer.stands_for(me, "classic")
    yield "classic joins", join_classic(peer, group, me, [topic])
    everything = b"\0\0\0\0\0\1" + text(topic) + b"\0\0\0\4" + bytes([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]) + NOTHING
    yield "classic syncs", sync(peer, 5, group, 1, me, [{"memberId": me, "assignment": everything}])
    yield "consumer joins", counted(enter(peer, group, "zz", [topic]))
    described = describe(peer, group)
    [mine] = [m for m in described["groups"][0]["members"] if m["memberId"] == me]
    keeps = mine["targetAssignment"]["topicPartitions"][0]["partitions"]
    yield "described", counted(described)
    heartbeat = lambda generation: peer.call("Heartbeat", 4, groupId=group, generationId=generation, memberId=me)  # noqa: E731
    yield "classic is told", heartbeat(1)
    yield "classic commits", commit(peer, group, me, 1, topic, v=8)
    yield "old generation commits", commit(peer, group, me, 0, topic, v=8)
    yield "newer generation commits", commit(peer, group, me, 5, topic, v=8)
    yield "classic rejoins with all", join_classic(peer, group, me, [topic], owned=[(topic, [0, 1, 2, 3])])
    yield "classic syncs what is left", sync(peer, 5, group, 1, me, protocolType="consumer", protocolName="range")
    yield "classic is told to rejoin", heartbeat(1)
    yield "classic rejoins with the rest", join_classic(peer, group, me, [topic], owned=[(topic, keeps)])
    yield "old generation", heartbeat(1)
    yield "classic beats", heartbeat(2)
    yield "wrong protocol", sync(peer, 5, group, 2, me, protocolType="consumer", protocolName="other")
    yield "wrong type", sync(peer, 5, group, 2, me, protocolType="connect", protocolName="range")
    yield "old generation syncs", sync(peer, 5, group, 1, me)
    synced = sync(peer, 5, group, 2, me, protocolType="consumer", protocolName="range")
    check(synced["assignment"].endswith(b"".join(p.to_bytes(4, "big") for p in keeps) + NOTHING), f"{peer.kind}: {synced}")
    yield "classic syncs", len(synced["assignment"])
    yield "consumer beats", beat(peer, group, "zz", 2, topicPartitions=[])
    yield "described as mixed", counted(describe(peer, group))
    yield "consumer member speaks classic", peer.call("Heartbeat", 4, groupId=group, generationId=2, memberId="zz")
    yield "nobody beats", peer.call("Heartbeat", 4, groupId=group, generationId=2, memberId="nobody")
    yield "nobody syncs", sync(peer, 5, group, 2, "nobody")
    yield "no common protocol", join(
        peer, 9, group, "x", protocols=[{"name": "other", "metadata": subscription([topic])}]
    )
    yield "not a consumer", join(peer, 9, group, "x", protocolType="connect")
    yield "an id first", join_classic(peer, group, "", [topic])["errorCode"]
    yield "unknown instance", join_classic(peer, group, "x", [topic], groupInstanceId="i")
    yield "leaves who is nobody", peer.call(
        "LeaveGroup", 5, groupId=group, members=[{"memberId": "nobody"}, {"memberId": "", "groupInstanceId": "i"}]
    )
    yield "consumer leaves", beat(peer, group, "zz", LEAVE)
    yield "described as consumer", describe(peer, group)
    yield "described as classic", peer.call("DescribeGroups", 6, groups=[group])["groups"][0]["groupState"]
    yield "classic is told", heartbeat(2)
    joined = join_classic(peer, group, me, [topic])
    yield "classic rejoins", joined
    everybody = [{"memberId": me, "assignment": everything}]
    yield "classic syncs", sync(
        peer, 5, group, joined["generationId"], me, everybody, protocolType="consumer", protocolName="range"
    )
    described = peer.call("DescribeGroups", 6, groups=[group])
    yield "described as classic", described
    yield "leaves", peer.call("LeaveGroup", 5, groupId=group, members=[{"memberId": me}])


@exchange(seconds=60, texts=True)
def changes_of_kind(peer):
    """An empty group of one kind becomes one of the other; a group with members of another type does not."""
    topic = settled(peer, peer.create(peer.name("t"), 1))
    group = prepare(peer, peer.name("g"))
    commit(peer, group, "", -1, topic)
    yield "a simple group becomes a consumer group", enter(peer, group, "a", [topic])
    yield "with its offsets", fetch(peer, group, topic, 9)
    yield "leaves", beat(peer, group, "a", LEAVE)
    given = join_classic(peer, group, "", [topic])
    peer.stands_for(given["memberId"], "classic")
    yield "an empty consumer group becomes classic", given
    yield "listed", peer.own(peer.call("ListGroups", 5, statesFilter=[], typesFilter=[])["groups"])
    connect = prepare(peer, peer.name("connect"))
    other = {"protocolType": "connect", "protocols": [{"name": "p", "metadata": b""}]}
    given = join(peer, 9, connect, **other)
    made = join(peer, 9, connect, given["memberId"], **other)
    check(made["errorCode"] == 0, f"{peer.kind}: {made}")
    yield "a group of another type", enter(peer, connect, "a", [topic])
    peer.call("LeaveGroup", 5, groupId=connect, members=[{"memberId": given["memberId"]}])


if __name__ == "__main__":
    main()
