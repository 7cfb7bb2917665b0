"""FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, OffsetFetch, OffsetDelete,
DescribeGroups, ListGroups, DeleteGroups: classic groups as consumers use them, with every wrong member,
generation and state."""

import time

from exchange import exchange
from lib.case import check, main, wait_for
from lib.wire import versions

# A consumer's subscription to nothing: version 0, no topics, no user data. The reference reads it.
SUBSCRIPTION = b"\0\0" + b"\0\0\0\0" + b"\xff\xff\xff\xff"
RANGE = {"protocolType": "consumer", "protocols": [{"name": "range", "metadata": SUBSCRIPTION}]}


def join(peer, v, group, member="", connection=None, **fields):
    """Sends a JoinGroup; the answer when no connection is given."""
    fields = {"groupId": group, "sessionTimeoutMs": 10000, "memberId": member, **RANGE, **fields}
    if v >= 1:
        fields.setdefault("rebalanceTimeoutMs", 10000)
    if connection:
        return connection.send("JoinGroup", v, **fields)
    answer = peer.call("JoinGroup", v, **fields)
    return answer


def first_member(peer, v, group, name="first", **fields):
    """A member that is in, stable, with its assignment: (answer of the join, answer of the sync)."""
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    answer = wait_for(lambda: ready(join(peer, v, group, **fields)), "the group's partition to load")
    if answer["errorCode"] == 79:
        answer = join(peer, v, group, answer["memberId"], **fields)
    check(answer["errorCode"] == 0, f"{peer.kind}: join: {answer}")
    peer.stands_for(answer["memberId"], name)
    synced = sync(
        peer,
        min(v, 5),
        group,
        answer["generationId"],
        answer["memberId"],
        [{"memberId": answer["memberId"], "assignment": b"mine"}],
    )
    return answer, synced


def ready(answer):
    return None if answer["errorCode"] in (14, 15, 16) else answer


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


@exchange()
def find_coordinator(peer):
    group = peer.name("g")
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    for v in versions("FindCoordinator"):
        keys = (lambda *k: {"coordinatorKeys": list(k)}) if v >= 4 else (lambda *k: {"key": k[0]})
        yield f"v{v} group", peer.call("FindCoordinator", v, **keys(group))
        yield f"v{v} empty", peer.call("FindCoordinator", v, **keys(""))
        if v >= 1:
            yield f"v{v} type 9", peer.call("FindCoordinator", v, keyType=9, **keys(group))
        if v >= 4:
            yield f"v{v} two", peer.call("FindCoordinator", v, **keys(group, peer.name("other")))
            yield f"v{v} same twice", peer.call("FindCoordinator", v, **keys(group, group))
            yield f"v{v} none", peer.call("FindCoordinator", v, **keys())


@exchange(seconds=120)
def join_versions(peer):
    """One member through join, sync, heartbeat, commit and leave, in every version of JoinGroup."""
    for v in versions("JoinGroup"):
        group = peer.name(f"g{v}")
        wait_for(lambda g=group: peer.must("FindCoordinator", 1, key=g)["errorCode"] == 0, "a coordinator")
        answer = wait_for(lambda w=v, g=group: ready(join(peer, w, g)), "the group's partition to load")
        yield f"v{v} first", answer
        member = answer["memberId"]
        if answer["errorCode"] == 79:
            peer.stands_for(member, f"member {v}")
            answer = join(peer, v, group, member)
            yield f"v{v} with its id", answer
        peer.stands_for(member, f"member {v}")
        yield f"v{v} heartbeat before sync", peer.call(
            "Heartbeat", 3, groupId=group, generationId=1, memberId=member
        )
        yield f"v{v} described before sync", peer.call("DescribeGroups", 5, groups=[group])
        yield f"v{v} sync", sync(peer, 3, group, 1, member, [{"memberId": member, "assignment": b"all"}])
        yield f"v{v} heartbeat", peer.call("Heartbeat", 3, groupId=group, generationId=1, memberId=member)
        yield f"v{v} joins again", join(peer, v, group, member)
        yield f"v{v} sync again", sync(
            peer, 3, group, 2, member, [{"memberId": member, "assignment": b"again"}]
        )
        yield f"v{v} described", peer.call("DescribeGroups", 5, groups=[group])
        yield f"v{v} leave", peer.call("LeaveGroup", 2, groupId=group, memberId=member)
        yield f"v{v} leave again", peer.call("LeaveGroup", 2, groupId=group, memberId=member)
        yield f"v{v} described empty", peer.call("DescribeGroups", 5, groups=[group])


@exchange(seconds=90)
def join_errors(peer):
    for v in versions("JoinGroup"):
        group = peer.name(f"g{v}")
        first, _ = first_member(peer, v, group)
        yield f"v{v} empty group", join(peer, v, "")
        yield f"v{v} unknown member", join(peer, v, group, "nobody")
        yield f"v{v} unknown member of an unknown group", join(peer, v, peer.name("new"), "nobody")
        yield f"v{v} session too short", join(peer, v, group, sessionTimeoutMs=1)
        yield f"v{v} session too long", join(peer, v, group, sessionTimeoutMs=10_000_000)
        yield f"v{v} other type", join(peer, v, group, protocolType="connect")
        yield f"v{v} no common protocol", join(peer, v, group, protocols=[{"name": "other", "metadata": b""}])
        yield f"v{v} no protocols", join(peer, v, peer.name("empty"), protocols=[])
        yield f"v{v} empty type", join(peer, v, peer.name("empty"), protocolType="")
        if v >= 5:
            yield f"v{v} empty instance", join(peer, v, peer.name(f"none{v}"), groupInstanceId="")
            yield f"v{v} odd instance", join(peer, v, peer.name(f"odd{v}"), groupInstanceId="a b")
            yield f"v{v} unknown member with instance", join(peer, v, group, "nobody", groupInstanceId="i")
        peer.call("LeaveGroup", 1, groupId=group, memberId=first["memberId"])


@exchange(seconds=90)
def sync_heartbeat_leave_errors(peer):
    group = peer.name("g")
    first, synced = first_member(peer, 5, group)
    me, generation = first["memberId"], first["generationId"]
    yield "sync", synced
    for v in versions("SyncGroup"):
        more = {"protocolType": "consumer", "protocolName": "range"} if v >= 5 else {}
        call = lambda g, n, m, w=v, f=more, **extra: sync(peer, w, g, n, m, **{**f, **extra})  # noqa: E731
        yield f"SyncGroup v{v}", call(group, generation, me)
        yield f"SyncGroup v{v} old generation", call(group, generation - 1, me)
        yield f"SyncGroup v{v} newer generation", call(group, generation + 1, me)
        yield f"SyncGroup v{v} unknown member", call(group, generation, "nobody")
        yield f"SyncGroup v{v} unknown group", call(peer.name("none"), generation, me)
        yield f"SyncGroup v{v} empty group", call("", generation, me)
        if v >= 3:
            yield f"SyncGroup v{v} unknown instance", call(group, generation, me, groupInstanceId="who")
        if v >= 5:
            yield f"SyncGroup v{v} other protocol", call(group, generation, me, protocolName="sticky")
            yield f"SyncGroup v{v} other type", call(group, generation, me, protocolType="connect")
            yield f"SyncGroup v{v} no protocol", call(group, generation, me, protocolName=None)
    for v in versions("Heartbeat"):
        call = lambda g, n, m, w=v, **f: peer.call(
            "Heartbeat", w, groupId=g, generationId=n, memberId=m, **f
        )  # noqa: E731
        yield f"Heartbeat v{v}", call(group, generation, me)
        yield f"Heartbeat v{v} old generation", call(group, generation - 1, me)
        yield f"Heartbeat v{v} generation -1", call(group, -1, me)
        yield f"Heartbeat v{v} unknown member", call(group, generation, "nobody")
        yield f"Heartbeat v{v} unknown group", call(peer.name("none"), generation, me)
        yield f"Heartbeat v{v} empty group", call("", generation, me)
        if v >= 3:
            yield f"Heartbeat v{v} unknown instance", call(group, generation, me, groupInstanceId="who")
    for v in versions("LeaveGroup"):
        if v < 3:
            leave = lambda g, m, w=v: peer.call("LeaveGroup", w, groupId=g, memberId=m)  # noqa: E731
        else:
            leave = lambda g, m, w=v: peer.call(
                "LeaveGroup", w, groupId=g, members=[{"memberId": m}]
            )  # noqa: E731
        yield f"LeaveGroup v{v} unknown member", leave(group, "nobody")
        yield f"LeaveGroup v{v} unknown group", leave(peer.name("none"), me)
        yield f"LeaveGroup v{v} empty group", leave("", me)
        if v >= 3:
            yield f"LeaveGroup v{v} nobody", peer.call("LeaveGroup", v, groupId=group, members=[])
            yield f"LeaveGroup v{v} unknown instance", peer.call(
                "LeaveGroup", v, groupId=group, members=[{"memberId": "", "groupInstanceId": "who"}]
            )
        yield f"LeaveGroup v{v}", leave(group, me)
        yield f"LeaveGroup v{v} again", leave(group, me)
        first, _ = first_member(peer, 5, group)
        me, generation = first["memberId"], first["generationId"]


@exchange(seconds=90)
def rebalance(peer):
    """Two members: the second joins, both sync, each finds its assignment, one leaves, the other is told."""
    for v in (2, 4, 5, 6, 7, 9):
        group = peer.name(f"g{v}")
        first, _ = first_member(peer, v, group)
        a = first["memberId"]
        second = peer.connect(client_id="second")
        second.send(
            "JoinGroup",
            v,
            groupId=group,
            sessionTimeoutMs=10000,
            rebalanceTimeoutMs=10000,
            memberId="",
            **RANGE,
        )
        if v >= 4:
            given = second.receive()
            yield f"v{v} its id", given
            b = given["memberId"]
            peer.stands_for(b, "second")
            second.send(
                "JoinGroup",
                v,
                groupId=group,
                sessionTimeoutMs=10000,
                rebalanceTimeoutMs=10000,
                memberId=b,
                **RANGE,
            )
        wait_for(
            lambda g=group, m=a, n=first["generationId"]: peer.call(
                "Heartbeat", 3, groupId=g, generationId=n, memberId=m
            )["errorCode"]
            == 27,
            "the first member to be told",
        )
        yield f"v{v} preparing", peer.call("DescribeGroups", 5, groups=[group])
        commit_place = [
            {
                "name": peer.name("t"),
                "partitions": [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}],
            }
        ]
        yield f"v{v} commit while preparing", peer.call(
            "OffsetCommit",
            7,
            groupId=group,
            generationIdOrMemberEpoch=first["generationId"],
            memberId=a,
            topics=commit_place,
        )
        leads = join(peer, v, group, a)
        joined = second.receive()
        peer.stands_for(joined["memberId"], "second")
        b = joined["memberId"]
        for member in leads["members"]:
            peer.stands_for(member["memberId"], "second" if member["memberId"] == b else "first")
        leads["members"].sort(key=lambda m, me=a: m["memberId"] != me)
        yield f"v{v} the first, which leads", leads
        yield f"v{v} the second", joined
        generation = joined["generationId"]
        yield f"v{v} heartbeat before the sync", peer.call(
            "Heartbeat", 3, groupId=group, generationId=generation, memberId=a
        )
        second.send("SyncGroup", 3, groupId=group, generationId=generation, memberId=b, assignments=[])
        time.sleep(0.1)
        yield f"v{v} sync of the first", sync(
            peer,
            3,
            group,
            generation,
            a,
            [{"memberId": a, "assignment": b"for a"}, {"memberId": b, "assignment": b"for b"}],
        )
        yield f"v{v} sync of the second", second.receive()
        described = peer.call("DescribeGroups", 5, groups=[group])
        described["groups"][0]["members"].sort(key=lambda m, me=a: m["memberId"] != me)
        yield f"v{v} stable", described
        yield f"v{v} the second leaves", second.call("LeaveGroup", 1, groupId=group, memberId=b)
        yield f"v{v} the first is told", peer.call(
            "Heartbeat", 3, groupId=group, generationId=generation, memberId=a
        )
        yield f"v{v} and joins", join(peer, v, group, a)
        second.close()
        peer.call("LeaveGroup", 1, groupId=group, memberId=a)


@exchange(seconds=90)
def static_members(peer):
    """A member with an instance id comes back under a new member id and keeps its assignment; the old one is
    fenced."""
    for v in (5, 7, 9):
        group = peer.name(f"g{v}")
        first, synced = first_member(peer, v, group, "first", groupInstanceId="one")
        yield f"v{v} first", first
        yield f"v{v} sync", synced
        generation, old = first["generationId"], first["memberId"]
        again = join(peer, v, group, groupInstanceId="one")
        peer.stands_for(again["memberId"], "first, back")
        yield f"v{v} back", again
        new = again["memberId"]
        check(new != old, "the member id is the same")
        yield f"v{v} old member's heartbeat", peer.call(
            "Heartbeat", 4, groupId=group, generationId=generation, memberId=old, groupInstanceId="one"
        )
        yield f"v{v} old member's heartbeat without instance", peer.call(
            "Heartbeat", 4, groupId=group, generationId=generation, memberId=old
        )
        yield f"v{v} new member's heartbeat", peer.call(
            "Heartbeat",
            4,
            groupId=group,
            generationId=again["generationId"],
            memberId=new,
            groupInstanceId="one",
        )
        yield f"v{v} old member joins", join(peer, v, group, old, groupInstanceId="one")
        yield f"v{v} sync of the new", sync(
            peer,
            5,
            group,
            again["generationId"],
            new,
            [],
            groupInstanceId="one",
            protocolType="consumer",
            protocolName="range",
        )
        place = [
            {
                "name": peer.name("t"),
                "partitions": [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}],
            }
        ]
        yield f"v{v} commit of the old", peer.call(
            "OffsetCommit",
            7,
            groupId=group,
            generationIdOrMemberEpoch=again["generationId"],
            memberId=old,
            groupInstanceId="one",
            topics=place,
        )
        yield f"v{v} described", peer.call("DescribeGroups", 5, groups=[group])
        yield f"v{v} leaves by instance", peer.call(
            "LeaveGroup", 4, groupId=group, members=[{"memberId": "", "groupInstanceId": "one"}]
        )
        yield f"v{v} leaves again", peer.call(
            "LeaveGroup",
            5,
            groupId=group,
            members=[{"memberId": new, "groupInstanceId": "one", "reason": "test"}],
        )
        yield f"v{v} empty", peer.call("DescribeGroups", 5, groups=[group])


@exchange(seconds=60)
def session_expiry(peer):
    """A member that says nothing is out after its session timeout."""
    group = peer.name("g")
    first, _ = first_member(peer, 5, group, sessionTimeoutMs=6000)
    yield "in", peer.call("DescribeGroups", 5, groups=[group])
    time.sleep(4)
    yield "still in", peer.call(
        "Heartbeat", 3, groupId=group, generationId=first["generationId"], memberId=first["memberId"]
    )
    time.sleep(4.5)
    yield "after the heartbeat", peer.call("DescribeGroups", 5, groups=[group])
    time.sleep(3.5)
    yield "out", peer.call(
        "Heartbeat", 3, groupId=group, generationId=first["generationId"], memberId=first["memberId"]
    )
    yield "empty", peer.call("DescribeGroups", 5, groups=[group])


def place(v, peer, topic, *offsets, metadata=""):
    """Topics of an OffsetCommit: (partition, offset)..."""
    name = {"topicId": peer.topic_id(topic)} if v >= 10 else {"name": topic}
    return [
        {
            **name,
            "partitions": [
                {"partitionIndex": p, "committedOffset": o, "committedMetadata": metadata} for p, o in offsets
            ],
        }
    ]


def fetch_offsets(peer, v, group, topic, *partitions, everything=False, **fields):
    if v < 8:
        asked = None if everything else [{"name": topic, "partitionIndexes": list(partitions)}]
        return peer.call("OffsetFetch", v, groupId=group, topics=asked, **fields)
    name = {"topicId": peer.topic_id(topic)} if v >= 10 else {"name": topic}
    asked = None if everything else [{**name, "partitionIndexes": list(partitions)}]
    return peer.call("OffsetFetch", v, groups=[{"groupId": group, "topics": asked}], **fields)


def coordinator(peer, group):
    def loaded():
        if peer.must("FindCoordinator", 1, key=group)["errorCode"]:
            return False
        return peer.must("OffsetFetch", 5, groupId=group, topics=[])["errorCode"] == 0

    wait_for(loaded, "the coordinator to load")


@exchange(seconds=120)
def offsets(peer):
    topic = peer.create(peer.name("t"), 3)
    group = peer.name("simple")
    coordinator(peer, group)
    for v in versions("OffsetCommit"):

        def commit(topics, g=group, w=v, generation=-1, member="", **fields):
            return peer.call(
                "OffsetCommit",
                w,
                groupId=g,
                generationIdOrMemberEpoch=generation,
                memberId=member,
                topics=topics,
                **fields,
            )

        yield f"commit v{v}", commit(place(v, peer, topic, (0, v * 10), (1, 5), metadata="note"))
        yield f"commit v{v} unknown partition", commit(place(v, peer, topic, (9, 1)))
        unknown = [{"topicId": "55" * 16} if v >= 10 else {"name": peer.name("none")}]
        unknown[0]["partitions"] = [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}]
        yield f"commit v{v} unknown topic", commit(unknown)
        yield f"commit v{v} null metadata", commit(place(v, peer, topic, (2, 7), metadata=None))
        yield f"commit v{v} metadata too long", commit(place(v, peer, topic, (2, 8), metadata="x" * 5000))
        yield f"commit v{v} negative offset", commit(place(v, peer, topic, (2, -5)))
        yield f"commit v{v} empty group", commit(place(v, peer, topic, (2, 1)), g="")
        yield f"commit v{v} generation without member", commit(place(v, peer, topic, (2, 1)), generation=3)
        yield f"commit v{v} member without generation", commit(place(v, peer, topic, (2, 1)), member="nobody")
        yield f"commit v{v} nothing", commit([])
        yield f"commit v{v} unknown group", commit(
            place(v, peer, topic, (0, 1)), g=peer.name(f"unknown{v}"), generation=1, member="m"
        )
        yield f"fetch after v{v}", fetch_offsets(peer, 5, group, topic, 0, 1, 2)
        if v >= 6:
            epoch = place(v, peer, topic, (1, 6))
            epoch[0]["partitions"][0]["committedLeaderEpoch"] = 4
            yield f"commit v{v} leader epoch", commit(epoch)
    for v in versions("OffsetFetch"):
        yield f"fetch v{v}", fetch_offsets(peer, v, group, topic, 0, 1, 2, 9)
        yield f"fetch v{v} none", fetch_offsets(peer, v, group, topic)
        yield f"fetch v{v} unknown group", fetch_offsets(peer, v, peer.name("none"), topic, 0)
        if v >= 2:
            yield f"fetch v{v} all", fetch_offsets(peer, v, group, topic, everything=True)
            yield f"fetch v{v} all of an unknown group", fetch_offsets(
                peer, v, peer.name("none"), topic, everything=True
            )
        if v >= 7:
            yield f"fetch v{v} stable", fetch_offsets(peer, v, group, topic, 0, requireStable=True)
        if v >= 8:
            name = {"topicId": peer.topic_id(topic)} if v >= 10 else {"name": topic}
            two = [
                {"groupId": g, "topics": [{**name, "partitionIndexes": [0]}]}
                for g in (group, peer.name("none"), "")
            ]
            yield f"fetch v{v} three groups", peer.call("OffsetFetch", v, groups=two)
            yield f"fetch v{v} no groups", peer.call("OffsetFetch", v, groups=[])
        if v >= 9:
            asked = [{"groupId": group, "memberId": "x", "memberEpoch": 3, "topics": None}]
            yield f"fetch v{v} with a member", peer.call("OffsetFetch", v, groups=asked)
        if v >= 10:
            asked = [{"groupId": group, "topics": [{"topicId": "66" * 16, "partitionIndexes": [0]}]}]
            yield f"fetch v{v} unknown id", peer.call("OffsetFetch", v, groups=asked)


@exchange(seconds=60)
def offsets_of_members(peer):
    """Commits of a group with members need a member and its generation."""
    topic, group = peer.create(peer.name("t"), 1), peer.name("g")
    first, _ = first_member(peer, 5, group)
    me, generation = first["memberId"], first["generationId"]
    for v in versions("OffsetCommit"):
        call = lambda n, m, w=v, **f: peer.call(
            "OffsetCommit",
            w,
            groupId=group,
            generationIdOrMemberEpoch=n,
            memberId=m,  # noqa: E731
            topics=place(w, peer, topic, (0, 3)),
            **f,
        )
        yield f"v{v} mine", call(generation, me)
        yield f"v{v} old generation", call(generation - 1, me)
        yield f"v{v} newer generation", call(generation + 1, me)
        yield f"v{v} unknown member", call(generation, "nobody")
        yield f"v{v} from outside", call(-1, "")
        if v >= 7:
            yield f"v{v} unknown instance", call(generation, me, groupInstanceId="who")
    yield "fetched", fetch_offsets(peer, 5, group, topic, 0)
    yield "deleted while in use", peer.call(
        "OffsetDelete", 0, groupId=group, topics=[{"name": topic, "partitions": [{"partitionIndex": 0}]}]
    )
    yield "group deleted while in use", peer.call("DeleteGroups", 2, groupsNames=[group])


@exchange(seconds=60)
def offset_delete_and_groups(peer):
    topic, other = peer.create(peer.name("t"), 2), peer.create(peer.name("u"), 1)
    for v in versions("DeleteGroups"):
        group = peer.name(f"g{v}")
        coordinator(peer, group)
        both = place(2, peer, topic, (0, 1), (1, 2)) + place(2, peer, other, (0, 3))
        peer.must("OffsetCommit", 5, groupId=group, generationIdOrMemberEpoch=-1, topics=both)
        for w in versions("DescribeGroups"):
            yield f"g{v} described v{w}", peer.call("DescribeGroups", w, groups=[group, peer.name("none")])
            if w >= 3:
                yield f"g{v} described v{w} operations", peer.call(
                    "DescribeGroups", w, groups=[group], includeAuthorizedOperations=True
                )
        for w in versions("ListGroups"):
            for states in ([], ["Empty"], ["empty"], ["Stable"], ["Nonsense"]) if w >= 4 else ([],):
                for types in ([], ["classic"], ["consumer"], ["nonsense"]) if w >= 5 else ([],):
                    more = ({"statesFilter": states} if w >= 4 else {}) | (
                        {"typesFilter": types} if w >= 5 else {}
                    )
                    listed = peer.call("ListGroups", w, **more)
                    listed["groups"] = peer.own(listed["groups"])
                    yield f"g{v} listed v{w} {states} {types}", listed
        delete = lambda *places, g=group: peer.call(
            "OffsetDelete",
            0,
            groupId=g,
            topics=[{"name": n, "partitions": [{"partitionIndex": p}]} for n, p in places],  # noqa: E731
        )
        yield f"g{v} one offset deleted", delete((topic, 0))
        yield f"g{v} deleted again", delete((topic, 0))
        yield f"g{v} unknown topic and partition", delete((peer.name("none"), 0), (topic, 9))
        yield f"g{v} unknown group", delete((topic, 0), g=peer.name("none"))
        yield f"g{v} empty group", delete((topic, 0), g="")
        yield f"g{v} what is left", fetch_offsets(peer, 7, group, topic, everything=True)
        yield f"delete v{v}", peer.call("DeleteGroups", v, groupsNames=[group, peer.name("none")])
        yield f"delete v{v} again", peer.call("DeleteGroups", v, groupsNames=[group])
        yield f"delete v{v} empty name", peer.call("DeleteGroups", v, groupsNames=[""])
        yield f"delete v{v} nothing", peer.call("DeleteGroups", v, groupsNames=[])
        yield f"g{v} gone", fetch_offsets(peer, 7, group, topic, everything=True)


@exchange()
def describe_groups_of_nothing(peer):
    coordinator(peer, peer.name("g"))
    for v in versions("DescribeGroups"):
        yield f"v{v} unknown", peer.call("DescribeGroups", v, groups=[peer.name("none")])
        yield f"v{v} empty name", peer.call("DescribeGroups", v, groups=[""])
        yield f"v{v} nothing", peer.call("DescribeGroups", v, groups=[])


if __name__ == "__main__":
    main()
