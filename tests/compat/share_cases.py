"""The share groups' data half (KIP-932): the share coordinator's five APIs, ShareFetch, ShareAcknowledge, and
the offsets of groups."""

from exchange import exchange
from lib.case import check, main, wait_for
from lib.wire import versions
from share import (
    NO_UUID,
    OTHER_ID,
    ack,
    alter,
    batch,
    configure,
    coordinator,
    describe,
    describe_all,
    filled,
    filled_again,
    forget,
    group_coordinator,
    heartbeat,
    initialize,
    loaded,
    member_of,
    prepared,
    produce,
    read,
    state,
    state_topics,
    summary,
    write,
)


@exchange()
def state_life(peer):
    """A share partition's state from its beginning to its end."""
    group, _, topic_id = prepared(peer, 2)
    yield "summary of nothing", summary(peer, group, topic_id)
    yield "summary v0 of nothing", summary(peer, group, topic_id, v=0)
    yield "read of nothing", read(peer, group, topic_id)
    yield "write to nothing", write(peer, 1, group, topic_id)
    yield "delete nothing", state(peer, "DeleteShareGroupState", 0, group, topic_id, {"partition": 0})
    for epoch, start in ((0, -1), (1, 5), (1, 7), (0, 3), (-1, 4), (3, 0)):
        fields = {"partition": 0, "stateEpoch": epoch, "startOffset": start}
        yield f"initialize {fields}", state(
            peer, "InitializeShareGroupState", 0, group, topic_id, fields
        )
        yield f"read after {fields}", read(peer, group, topic_id)
        yield f"summary after {fields}", summary(peer, group, topic_id)
    for v in versions("WriteShareGroupState"):
        yield f"v{v} write", write(peer, v, group, topic_id, epoch=3, start=10, complete=4, batches=[batch(10, 19, 2, 1)])
        yield f"v{v} summary", summary(peer, group, topic_id, v=v)
    yield "delete", state(peer, "DeleteShareGroupState", 0, group, topic_id, {"partition": 0})
    yield "read after delete", read(peer, group, topic_id)
    yield "summary after delete", summary(peer, group, topic_id)


@exchange()
def state_batches(peer):
    """How ranges come together, seen by reading after each write."""
    group, _, topic_id = prepared(peer)
    initialize(peer, group, topic_id)
    for start, batches in (
        (-1, [(0, 9, 0, 1)]),
        (-1, [(10, 19, 0, 1), (20, 29, 0, 2)]),
        (-1, [(5, 14, 2, 1)]),
        (-1, [(5, 5, 0, 1), (3, 3, 4, 1)]),
        (7, [(30, 39, 0, 1)]),
        (7, [(0, 100, 0, 1)]),
        (7, [(50, 50, 2, 1), (52, 52, 2, 1), (51, 51, 2, 1)]),
        (7, [(40, 60, 0, 3)]),
        (-1, [(45, 45, 2, 3), (46, 46, 4, 3), (60, 61, 2, 3)]),
        (30, []),
        (200, [(150, 210, 0, 1)]),
        (100, [(100, 110, 2, 1)]),
    ):
        label = f"from {start} with {batches}"
        yield label, write(peer, 1, group, topic_id, start=start, batches=[batch(*b) for b in batches])
        yield f"read {label}", read(peer, group, topic_id)


@exchange()
def state_epochs(peer):
    group, _, topic_id = prepared(peer)
    initialize(peer, group, topic_id, epoch=5)
    for leader in (3, 3, -1, 2, 4):
        yield f"read by leader {leader}", read(peer, group, topic_id, leader=leader)
        yield f"summary after {leader}", summary(peer, group, topic_id)
    for epoch, leader in ((5, 4), (4, 4), (6, 4), (5, 3), (5, 9), (5, 4), (-1, -1), (5, -1)):
        yield f"write in {epoch} by {leader}", write(
            peer, 1, group, topic_id, epoch=epoch, leader=leader, start=1, complete=leader
        )
        yield f"summary of {epoch} by {leader}", summary(peer, group, topic_id)
    yield "read by 8", read(peer, group, topic_id, leader=8)


@exchange()
def state_bad_input(peer):
    group, _, topic_id = prepared(peer)
    initialize(peer, group, topic_id)
    partition = {
        "InitializeShareGroupState": {"stateEpoch": 0, "startOffset": 0},
        "ReadShareGroupState": {"leaderEpoch": 0},
        "WriteShareGroupState": {"stateEpoch": 0, "leaderEpoch": 0, "startOffset": 0, "stateBatches": []},
        "DeleteShareGroupState": {},
        "ReadShareGroupStateSummary": {"leaderEpoch": 0},
    }
    for name, fields in partition.items():
        for v in versions(name):
            at = f"{name} v{v}"
            one = {**fields, "partition": 0}
            yield f"{at} no topics", peer.call(name, v, groupId=group, topics=[])
            yield f"{at} no partitions", state(peer, name, v, group, topic_id)
            yield f"{at} no group", state(peer, name, v, "", topic_id, one)
            yield f"{at} some without partitions", peer.call(
                name, v, groupId=group, topics=state_topics(topic_id, one) + state_topics(OTHER_ID)
            )
            yield f"{at} negative", state(peer, name, v, group, topic_id, {**fields, "partition": -1})
            yield f"{at} beyond", state(peer, name, v, group, topic_id, {**fields, "partition": 7})
            yield f"{at} unknown topic", state(peer, name, v, group, OTHER_ID, one)
            yield f"{at} no topic", state(peer, name, v, group, NO_UUID, one)


@exchange()
def state_twice(peer):
    """A share partition, or its topic, more than once in a request."""
    group, _, topic_id = prepared(peer, 2)
    asked = {
        "InitializeShareGroupState": [{"stateEpoch": 1, "startOffset": 5}, {"stateEpoch": 1, "startOffset": 9}],
        "WriteShareGroupState": [
            {"stateEpoch": 1, "leaderEpoch": 0, "startOffset": 6, "stateBatches": [batch(6, 9, 0, 1)]},
            {"stateEpoch": 1, "leaderEpoch": 0, "startOffset": 7, "stateBatches": [batch(9, 12, 2, 1)]},
        ],
        "ReadShareGroupState": [{"leaderEpoch": 0}, {"leaderEpoch": 0}],
        "ReadShareGroupStateSummary": [{"leaderEpoch": 0}, {"leaderEpoch": 0}],
        "DeleteShareGroupState": [{}, {}],
    }
    for name, parts in asked.items():
        twice = [{"partition": 0, **fields} for fields in parts]
        yield f"{name} partition", state(peer, name, 0, group, topic_id, *twice)
        yield f"{name} partition and another", state(
            peer, name, 0, group, topic_id, {**twice[0], "partition": 1}, *twice
        )
        yield f"{name} topic", peer.call(
            name, 0, groupId=group, topics=[t for one in twice for t in state_topics(topic_id, one)]
        )
        yield f"read after {name}", read(peer, group, topic_id)


@exchange()
def fetch_and_accept(peer):
    group, topic, topic_id = filled(peer)
    m = member_of(peer, group, topic_id)
    yield "first fetch", m.first_records()
    yield "nothing more", m.fetch(wait=100)
    yield "accept all", m.acknowledge({0: [ack(0, 14, 1)]})
    yield "summary", summary(peer, group, topic_id)
    yield "read", read(peer, group, topic_id)
    produce(peer, topic, 4)
    yield "fetch more", m.fetch()
    yield "accept with a fetch", m.fetch(wait=100, acks={0: [ack(15, 18, 1)]})
    yield "read after", read(peer, group, topic_id)
    yield "end", m.acknowledge({}, shareSessionEpoch=-1)
    yield "after the end", m.acknowledge({0: [ack(0, 1, 1)]})


@exchange()
def every_type(peer):
    for v in versions("ShareAcknowledge"):
        group, _, topic_id = filled_again(peer, f"v{v}")
        m = member_of(peer, group, topic_id)
        yield f"v{v} fetch", m.first_records(v=v)
        yield f"v{v} each", m.acknowledge({0: [ack(0, 3, 1, 2, 3, 0), ack(5, 9, 2)]}, v=v)
        yield f"v{v} read", read(peer, group, topic_id)
        yield f"v{v} again", m.fetch(v=v)
        yield f"v{v} not held", m.acknowledge({0: [ack(0, 0, 1)]}, v=v)
        yield f"v{v} renew", m.acknowledge(
            {0: [ack(4, 4, 4)]}, v=v, **({"isRenewAck": True} if v >= 2 else {})
        )
        yield f"v{v} renew unsaid", m.acknowledge({0: [ack(4, 4, 4)]}, v=v)
        yield f"v{v} release the rest", m.acknowledge({0: [ack(1, 1, 2), ack(4, 4, 3), ack(5, 14, 2)]}, v=v)
        yield f"v{v} read after", read(peer, group, topic_id)
        yield f"v{v} end", m.acknowledge({}, v=v, shareSessionEpoch=-1)


@exchange()
def bad_acknowledgements(peer):
    group, _, topic_id = filled(peer)
    m, other = member_of(peer, group, topic_id), member_of(peer, group, topic_id, member="o")
    yield "fetch", m.first_records()
    yield "other fetch", other.fetch(wait=100)
    for acks in (
        [ack(4, 3, 1)],
        [ack(0, 4, 1), ack(2, 6, 1)],
        [ack(0, 4)],
        [ack(0, 4, 1, 1)],
        [ack(0, 1, 5)],
        [ack(0, 1, -1)],
        [ack(0, 1, 4)],
        [ack(20, 30, 1)],
        [ack(10, 30, 1)],
        [ack(0, 4, 1), ack(10, 30, 1)],
        [],
    ):
        yield f"{acks}", m.acknowledge({0: acks})
        yield f"other {acks}", other.acknowledge({0: acks})
    yield "other's", other.acknowledge({0: [ack(0, 4, 1)]})
    yield "other's with a fetch", other.fetch(wait=100, acks={0: [ack(0, 4, 1)]})
    yield "no such partition", m.acknowledge({7: [ack(0, 4, 1)]})
    yield "none and one", m.acknowledge({0: [ack(0, 4, 1)], 7: []})
    yield "read", read(peer, group, topic_id)


@exchange()
def sessions(peer):
    group, _, topic_id = filled(peer, partitions=2)
    m = member_of(peer, group, topic_id, 2)
    yield "acknowledge first", m.acknowledge({0: [ack(0, 0, 1)]})
    yield "no session", m.fetch(shareSessionEpoch=3)
    yield "no session to end", m.fetch(shareSessionEpoch=-1)
    yield "acknowledge in the first fetch", m.fetch(acks={0: [ack(0, 0, 1)], 1: []})
    yield "no member", m.fetch(memberId=None)
    yield "empty member", m.fetch(memberId="")
    yield "long member", m.fetch(memberId="x" * 37)
    yield "no group", m.fetch(groupId=None)
    yield "acknowledge without member", m.acknowledge({}, memberId=None)
    yield "acknowledge without group", m.acknowledge({}, groupId=None)
    m.first_records()
    m.fetch(wait=100)
    yield "old epoch", m.fetch(shareSessionEpoch=m.epoch - 1)
    yield "future epoch", m.fetch(shareSessionEpoch=m.epoch + 1)
    yield "acknowledge in an old epoch", m.acknowledge({0: [ack(0, 0, 1)]}, shareSessionEpoch=m.epoch - 1)
    forget = [{"topicId": topic_id, "partitions": [1]}]
    yield "forget one", m.fetch(wait=100, forgottenTopicsData=forget)
    # An unknown topic id is left out: the reference counts the bytes of a topic without a name, fails by that
    # (UNKNOWN_SERVER_ERROR), and has gone on with the session.
    beyond = [{"topicId": topic_id, "partitions": [{"partitionIndex": 9, "acknowledgementBatches": []}]}]
    yield "no such partition", m.fetch(wait=100, topics=beyond)
    m.epoch = 0
    yield "anew", m.fetch(wait=100)
    yield "end by a fetch", m.fetch(shareSessionEpoch=-1, topics=[])
    yield "ended", m.fetch()


@exchange()
def not_initialized(peer):
    group, _, topic_id = prepared(peer)
    m = member_of(peer, group, topic_id)
    yield "a fetch", m.fetch(wait=300)
    yield "once more", m.fetch(wait=300)


@exchange()
def describe_offsets(peer):
    group, topic, topic_id = filled(peer, partitions=2)
    m = member_of(peer, group, topic_id, 2)
    for v in versions("DescribeShareGroupOffsets"):
        yield f"v{v} all", describe(peer, v, group, (topic, [0, 1]))
        yield f"v{v} another group", describe(peer, v, peer.name("other"), (topic, [0]))
        yield f"v{v} unknown", describe(peer, v, group, (topic, [0]), (peer.name("missing"), [0, 1]))
        yield f"v{v} nothing", describe(peer, v, group)
        yield f"v{v} no partitions", describe(peer, v, group, (topic, []))
        yield f"v{v} no group", describe(peer, v, "", (topic, [0]))
        yield f"v{v} no groups", peer.call("DescribeShareGroupOffsets", v, groups=[])
    m.first_records()
    for acks in ([ack(0, 2, 1)], [ack(5, 9, 3)], [ack(3, 4, 1), ack(10, 11, 2)]):
        m.acknowledge({0: acks})
        yield f"after {acks}", describe(peer, 1, group, (topic, [0, 1]))


@exchange()
def delivery_limit(peer):
    """A record that nobody accepts comes in smaller portions, and is archived in the end."""
    group, _, topic_id = filled(peer, batches=1, each=10)
    m = member_of(peer, group, topic_id)
    answer = m.first_records()
    for time in range(30):
        held = [a for t in answer["responses"] for p in t["partitions"] for a in p["acquiredRecords"]]
        yield f"delivery {time}", held
        if not held:
            break
        m.acknowledge({0: [ack(a["firstOffset"], a["lastOffset"], 2) for a in held]})
        answer = m.fetch(wait=100)
    yield "read", read(peer, group, topic_id)
    yield "describe", describe(peer, 1, group, (peer.name("t"), [0]))


@exchange()
def limits(peer):
    """How much one fetch acquires: records, batches, and both modes."""
    for v in versions("ShareFetch"):
        group, _, topic_id = filled_again(peer, f"v{v}", batches=8, each=10)
        m = member_of(peer, group, topic_id)
        yield f"v{v} 15 of 10s", m.first_records(v=v, maxRecords=15)
        yield f"v{v} cut at 5", m.fetch(v=v, maxRecords=20, batchSize=5)
        yield f"v{v} cut at 15", m.fetch(v=v, maxRecords=30, batchSize=15)
        yield f"v{v} few bytes", m.fetch(v=v, maxBytes=200)
        yield f"v{v} no records", m.fetch(v=v, maxRecords=0)
        yield f"v{v} no bytes", m.fetch(v=v, maxBytes=0)
        if v < 2:
            continue
        group, _, topic_id = filled_again(peer, f"limit-v{v}", batches=4, each=10)
        m = member_of(peer, group, topic_id)
        strict = {"v": v, "shareAcquireMode": 1}
        yield f"v{v} strictly 15", m.first_records(maxRecords=15, **strict)
        yield f"v{v} strictly 3", m.fetch(maxRecords=3, **strict)
        yield f"v{v} release", m.acknowledge({0: [ack(0, 14, 2)]})
        yield f"v{v} strictly 7", m.fetch(maxRecords=7, **strict)
        yield f"v{v} the rest", m.fetch(v=v)
        yield f"v{v} renew with records", m.fetch(v=v, isRenewAck=True)
        renew = {"isRenewAck": True, "maxBytes": 0, "minBytes": 0, "maxRecords": 0}
        yield f"v{v} renew", m.fetch(v=v, wait=0, acks={0: [ack(0, 3, 4)]}, **renew)
        yield f"v{v} renew and accept", m.fetch(v=v, wait=0, acks={0: [ack(0, 3, 4, 1, 4, 1)]}, **renew)
        yield f"v{v} read", read(peer, group, topic_id)


@exchange()
def members_that_go(peer):
    """What a member has is given back when it ends its session, or its connection closes."""
    group, _, topic_id = filled(peer, batches=4)
    a, b = member_of(peer, group, topic_id), member_of(peer, group, topic_id, member="b")
    a.first_records(maxRecords=10)
    yield "b's share", b.first_records()
    yield "a ends", a.fetch(shareSessionEpoch=-1, topics=[])
    yield "b has a's", b.first_again()
    a.epoch = 0
    b.connection.close()
    yield "a has b's", a.first_again()
    yield "read", read(peer, group, topic_id)


@exchange()
def log_start(peer):
    group, topic, topic_id = filled(peer, batches=4)
    m = member_of(peer, group, topic_id)
    yield "fetch", m.first_records(maxRecords=5)
    yield "release", m.acknowledge({0: [ack(0, 4, 2)]})
    cut = [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 12}]}]
    peer.must("DeleteRecords", 2, topics=cut, timeoutMs=10000)
    m.fetch(wait=100)
    yield "fetch the rest", m.first_again()
    yield "too late", m.acknowledge({0: [ack(0, 4, 1)]})
    yield "accept", m.acknowledge({0: [ack(12, 19, 1)]})
    yield "describe", describe(peer, 1, group, (topic, [0]))


@exchange()
def start_by_configuration(peer):
    """share.auto.offset.reset, when the state says nothing."""
    for value in ("earliest", "latest", "by_duration:PT1H"):
        topic = peer.create(peer.name(f"t-{value[:3]}"))
        group, topic_id = peer.name(f"g-{value[:3]}"), peer.topic_id(topic)
        coordinator(peer, group, topic_id)
        initialize(peer, group, topic_id, start=-1)
        configure(peer, group, {"share.auto.offset.reset": value})
        produce(peer, topic, 5)
        m = member_of(peer, group, topic_id)
        m.fetch(wait=100)
        wait_for(lambda m=m: loaded(m), "a share partition")
        produce(peer, topic, 3)
        yield f"{value}: fetch", m.taken()
        yield f"{value}: describe", describe(peer, 1, group, (topic, [0]))


@exchange()
def alter_offsets(peer):
    group, topic, topic_id = prepared(peer, 2)
    other = peer.create(peer.name("other"), 1)
    group_coordinator(peer, group)
    for p in (0, 1):
        produce(peer, topic, 20, p)
    yield "all of nothing", describe_all(peer, group)
    yield "no group", alter(peer, "", (topic, [(0, 5)]))
    yield "no topics", alter(peer, group)
    yield "still nothing", describe_all(peer, group)
    yield "unknown topics only", alter(peer, group, (peer.name("missing"), [(0, 5), (1, 5)]))
    yield "some unknown", alter(peer, group, (topic, [(0, 5), (7, 5)]), (peer.name("missing"), [(0, 5)]))
    yield "all", describe_all(peer, group)
    yield "read", read(peer, group, topic_id)
    yield "more", alter(peer, group, (topic, [(0, 3), (1, 4)]), (other, [(0, 0)]))
    yield "all of more", describe_all(peer, group)
    yield "beyond the end", alter(peer, group, (topic, [(0, 300)]))
    yield "all of beyond", describe_all(peer, group)
    yield "reset", alter(peer, group, (topic, [(0, 3)]))
    m = member_of(peer, group, topic_id, 2)
    yield "fetch", m.taken()
    classic = peer.name("classic")
    places = [{"name": topic, "partitions": [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}]}]
    peer.must("OffsetCommit", 8, groupId=classic, generationIdOrMemberEpoch=-1, memberId="", topics=places)
    yield "a classic group", alter(peer, classic, (topic, [(0, 5)]))
    yield "all of a classic group", describe_all(peer, classic)


@exchange()
def alter_twice(peer):
    """A topic or a partition more than once in a request."""
    group, topic, topic_id = prepared(peer, 2)
    group_coordinator(peer, group)
    for label, asked in {
        "partition": [(topic, [(0, 3), (0, 5)])],
        "topic": [(topic, [(0, 6)]), (topic, [(0, 7)])],
        "topic with other partitions": [(topic, [(0, 8)]), (topic, [(1, 9)])],
        "missing": [(peer.name("missing"), [(0, 8)]), (peer.name("missing"), [(1, 9)])],
    }.items():
        yield label, alter(peer, group, *asked)
        yield f"all after {label}", describe_all(peer, group)
        yield f"read after {label}", [read(peer, group, topic_id, p) for p in (0, 1)]
    yield "describe", describe(peer, 1, group, (topic, [0, 0, 1]), (topic, [0]))
    yield "delete", forget(peer, group, topic, topic)
    yield "all in the end", describe_all(peer, group)


@exchange()
def delete_offsets(peer):
    group, topic, topic_id = prepared(peer, 2)
    other = peer.create(peer.name("other"), 1)
    group_coordinator(peer, group)
    yield "no such group", forget(peer, group, topic)
    yield "no group", forget(peer, "", topic)
    alter(peer, group, (topic, [(0, 5), (1, 6)]), (other, [(0, 1)]))
    wait_for(lambda: len(describe_all(peer, group)["groups"][0]["topics"]) == 2, "initialized")
    yield "nothing", forget(peer, group)
    yield "unknown", forget(peer, group, peer.name("missing"))
    yield "one", forget(peer, group, topic)
    yield "all after one", describe_all(peer, group)
    yield "read", read(peer, group, topic_id)
    yield "again", forget(peer, group, topic, other)
    yield "all after both", describe_all(peer, group)


@exchange()
def offsets_of_groups_with_members(peer):
    group, topic, _ = prepared(peer, 2)
    group_coordinator(peer, group)
    joined = wait_for(lambda: beats(heartbeat(peer, group, "member", 0, topic)), "a member")
    wait_for(lambda: describe_all(peer, group)["groups"][0]["topics"], "initialized")
    yield "all", describe_all(peer, group)
    yield "alter", alter(peer, group, (topic, [(0, 5)]))
    yield "delete", forget(peer, group, topic)
    heartbeat(peer, group, "member", -1)
    yield "alter without members", alter(peer, group, (topic, [(0, 5)]))
    check(joined["memberEpoch"] > 0, f"{peer.kind}: {joined}")
    yield "delete without members", forget(peer, group, topic)
    yield "all in the end", describe_all(peer, group)


def beats(answer):
    return answer if answer["errorCode"] == 0 else None


if __name__ == "__main__":
    main()
