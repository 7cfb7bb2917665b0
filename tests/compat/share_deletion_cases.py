"""DeleteGroups of share groups: the states of their share partitions go first, at the share coordinator."""

from exchange import exchange
from lib.case import check, main, wait_for
from lib.wire import versions
from share import (
    NO_UUID,
    alter,
    coordinator,
    describe_all,
    group_coordinator,
    heartbeat,
    prepared,
    produce,
    read,
    summary,
)


def delete(peer, v, *groups):
    return peer.call("DeleteGroups", v, groupsNames=list(groups))


def states(peer, group, n):
    """The group has so many topics with a state."""
    wait_for(
        lambda: len(describe_all(peer, group)["groups"][0]["topics"]) == n, f"{peer.kind}: {n} topics with states"
    )


def described(peer, group):
    return peer.call("ShareGroupDescribe", 1, groupIds=[group], includeAuthorizedOperations=False)


def listed(peer):
    return peer.own(peer.call("ListGroups", 5, statesFilter=[], typesFilter=["share"])["groups"])


def drop(peer, topic):
    answer = peer.must("DeleteTopics", 6, timeoutMs=15000, topics=[{"name": topic, "topicId": NO_UUID}])
    check(answer["responses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")


@exchange()
def with_states(peer):
    group, topic, topic_id = prepared(peer, 2)
    group_coordinator(peer, group)
    for p in (0, 1):
        produce(peer, topic, 20, p)
    for v in versions("DeleteGroups"):
        yield f"v{v} alter", alter(peer, group, (topic, [(0, 5), (1, 6)]))
        states(peer, group, 1)
        yield f"v{v} before", [summary(peer, group, topic_id, p) for p in (0, 1)]
        yield f"v{v} listed", listed(peer)
        yield f"v{v} delete", delete(peer, v, group)
        yield f"v{v} after", [summary(peer, group, topic_id, p) for p in (0, 1)]
        yield f"v{v} read", read(peer, group, topic_id, 1)
        yield f"v{v} offsets", describe_all(peer, group)
        yield f"v{v} described", described(peer, group)
        yield f"v{v} listed no more", listed(peer)
        yield f"v{v} again", delete(peer, v, group)


@exchange()
def of_several_kinds(peer):
    """One request for groups with and without members or states, of other kinds, that are not there, twice."""
    empty, topic, _ = prepared(peer)
    other, busy, bare, classic = (peer.name(n) for n in ("other", "busy", "bare", "classic"))
    for group in (empty, other, busy, bare, classic):
        group_coordinator(peer, group)
    for group in (empty, other):
        coordinator(peer, group, peer.topic_id(topic))
        alter(peer, group, (topic, [(0, 0)]))
        states(peer, group, 1)
    for group, wanted in ((busy, topic), (bare, peer.name("missing"))):
        wait_for(lambda g=group, t=wanted: heartbeat(peer, g, "m", 0, t)["errorCode"] == 0, "a member")
    states(peer, busy, 1)
    heartbeat(peer, bare, "m", -1)
    places = [{"name": topic, "partitions": [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}]}]
    peer.must("OffsetCommit", 8, groupId=classic, generationIdOrMemberEpoch=-1, memberId="", topics=places)
    asked = [empty, busy, peer.name("none"), classic, other, bare, empty, ""]
    yield "all", delete(peer, 2, *asked)
    yield "busy is whole", describe_all(peer, busy)
    yield "listed", listed(peer)
    yield "again", delete(peer, 2, *asked)
    heartbeat(peer, busy, "m", -1)
    yield "without its member", delete(peer, 2, busy)
    yield "none left", listed(peer)


@exchange()
def after_their_topics(peer):
    """A topic that is gone takes its states along; what is left goes with the group."""
    for kept in (1, 0):
        group, one, other = (peer.name(f"{n}-{kept}") for n in ("g", "one", "other"))
        ids = [peer.topic_id(peer.create(t, 2)) for t in (one, other)]
        for i in ids:
            coordinator(peer, group, i, 2)
        group_coordinator(peer, group)
        yield f"{kept} alter", alter(peer, group, (one, [(0, 0), (1, 0)]), (other, [(0, 0), (1, 0)]))
        states(peer, group, 2)
        drop(peer, one)
        states(peer, group, 1)
        if not kept:
            drop(peer, other)
            states(peer, group, 0)
        yield f"{kept} offsets", describe_all(peer, group)
        yield f"{kept} delete", delete(peer, 2, group)
        yield f"{kept} reads", [read(peer, group, i) for i in ids]
        yield f"{kept} listed", listed(peer)


@exchange()
def and_begin_anew(peer):
    """A group of the same name knows nothing of the one before."""
    group, topic, topic_id = prepared(peer)
    group_coordinator(peer, group)
    produce(peer, topic, 20)
    for time in range(2):
        alter(peer, group, (topic, [(0, 7)]))
        states(peer, group, 1)
        yield f"{time} altered", describe_all(peer, group)
        yield f"{time} deleted", delete(peer, 2, group)
        joined = wait_for(lambda: joins(heartbeat(peer, group, "m", 0, topic)), "a member")
        yield f"{time} joined", joined["errorCode"]
        states(peer, group, 1)
        yield f"{time} its offsets", describe_all(peer, group)
        yield f"{time} its state", summary(peer, group, topic_id)
        heartbeat(peer, group, "m", -1)
        yield f"{time} deleted again", delete(peer, 2, group)


def joins(answer):
    return answer if answer["errorCode"] == 0 else None


if __name__ == "__main__":
    main()
