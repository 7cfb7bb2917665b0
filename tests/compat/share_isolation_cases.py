"""Share groups and transactions: share.isolation.level."""

from exchange import exchange
from lib.case import check, main, wait_for
from lib.records import batch
from share import configure, describe, filled, member_of, produce, read

TRANSACTIONAL = 0x10


def transaction(peer, topic, name, commit, n):
    """n records in a transaction, which is ended, or (commit None) left open."""
    wait_for(lambda: peer.must("FindCoordinator", 3, key=name, keyType=1)["errorCode"] == 0, "a coordinator")
    made = wait_for(
        lambda: answered(peer.must("InitProducerId", 4, transactionalId=name, transactionTimeoutMs=60000)),
        "a producer",
    )
    who = {"producerId": made["producerId"], "producerEpoch": made["producerEpoch"]}
    added = {
        "v3AndBelowTransactionalId": name,
        "v3AndBelowProducerId": who["producerId"],
        "v3AndBelowProducerEpoch": who["producerEpoch"],
        "v3AndBelowTopics": [{"name": topic, "partitions": [0]}],
    }
    wait_for(lambda: all_added(peer.must("AddPartitionsToTxn", 3, **added)), "the partition")
    records = batch([b"in a transaction"] * n, attributes=TRANSACTIONAL, baseSequence=0, **who)
    answer = peer.produce(topic, records, transactionalId=name)
    check(answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")
    if commit is not None:
        ended = peer.must("EndTxn", 3, transactionalId=name, committed=commit, **who)
        check(ended["errorCode"] == 0, f"{peer.kind}: {ended}")


def answered(answer):
    return answer if answer["errorCode"] == 0 else None


def all_added(answer):
    results = [p for t in answer["resultsByTopicV3AndBelow"] for p in t["resultsByPartition"]]
    return all(p["partitionErrorCode"] == 0 for p in results)


def ended(peer, topic, offset):
    """The partition's end is there, markers and all."""
    asked = [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}]
    answer = peer.must("ListOffsets", 5, replicaId=-1, isolationLevel=0, topics=asked)
    return answer["topics"][0]["partitions"][0]["offset"] == offset


@exchange()
def isolation(peer):
    for level in ("read_uncommitted", "read_committed"):
        yield from one_level(peer, level)


def one_level(peer, level):
    original, peer.prefix = peer.prefix, f"{peer.prefix}-{level[5:8]}"
    group, topic, topic_id = filled(peer, batches=1, each=3)
    configure(peer, group, {"share.isolation.level": level})
    name = peer.name("transactional")
    for commit in (True, False, True):
        transaction(peer, topic, name, commit, 4)
    wait_for(lambda: ended(peer, topic, 18), "the markers")
    produce(peer, topic, 2)
    transaction(peer, topic, name, None, 5)
    produce(peer, topic, 2)
    m = member_of(peer, group, topic_id)
    yield f"{level}: records", m.taken()
    yield f"{level}: read", read(peer, group, topic_id)
    yield f"{level}: describe", describe(peer, 1, group, (topic, [0]))
    peer.prefix = original


if __name__ == "__main__":
    main()
