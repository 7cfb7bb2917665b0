"""What the tests of share groups (KIP-932) share: the share coordinator's APIs, and members that fetch and
acknowledge."""

import base64

from lib import records
from lib.case import check, wait_for

NO_UUID = "00" * 16
OTHER_ID = "11" * 16


def state_topics(topic_id, *partitions):
    return [{"topicId": topic_id, "partitions": list(partitions)}]


def state(peer, name, v, group, topic_id, *partitions):
    return peer.call(name, v, groupId=group, topics=state_topics(topic_id, *partitions))


def coordinator(peer, group, topic_id, partitions=1):
    """The share coordinator of every partition answers."""
    keys = [f"{group}:{uuid_text(topic_id)}:{p}" for p in range(partitions)]

    def found():
        answer = peer.must("FindCoordinator", 6, keyType=2, coordinatorKeys=keys)
        return all(c["errorCode"] == 0 for c in answer["coordinators"])

    def loaded():
        asked = [{"partition": p, "leaderEpoch": -1} for p in range(partitions)]
        answer = state(peer, "ReadShareGroupStateSummary", 0, group, topic_id, *asked)
        return all(p["errorCode"] == 0 for p in answer["results"][0]["partitions"])

    wait_for(found, f"{peer.kind}: a share coordinator")
    wait_for(loaded, f"{peer.kind}: the share coordinator's partitions")


def uuid_text(hexadecimal):
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode().rstrip("=")


def prepared(peer, partitions=1, **configs):
    topic = peer.create(peer.name("t"), partitions, **configs)
    group, topic_id = peer.name("g"), peer.topic_id(peer.name("t"))
    coordinator(peer, group, topic_id, partitions)
    return group, topic, topic_id


def initialize(peer, group, topic_id, partition=0, epoch=0, start=0):
    answer = state(
        peer,
        "InitializeShareGroupState",
        0,
        group,
        topic_id,
        {"partition": partition, "stateEpoch": epoch, "startOffset": start},
    )
    check(answer["results"][0]["partitions"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")


def batch(first, last, delivery_state, count):
    return {"firstOffset": first, "lastOffset": last, "deliveryState": delivery_state, "deliveryCount": count}


def write(peer, v, group, topic_id, partition=0, epoch=0, leader=0, start=-1, complete=0, batches=()):
    fields = {
        "partition": partition,
        "stateEpoch": epoch,
        "leaderEpoch": leader,
        "startOffset": start,
        "stateBatches": list(batches),
    }
    if v >= 1:
        fields["deliveryCompleteCount"] = complete
    return state(peer, "WriteShareGroupState", v, group, topic_id, fields)


def read(peer, group, topic_id, partition=0, leader=-1):
    asked = {"partition": partition, "leaderEpoch": leader}
    return state(peer, "ReadShareGroupState", 0, group, topic_id, asked)


def summary(peer, group, topic_id, partition=0, v=1):
    asked = {"partition": partition, "leaderEpoch": -1}
    return state(peer, "ReadShareGroupStateSummary", v, group, topic_id, asked)


def member_of(peer, group, topic_id, partitions=1, member="m"):
    return Member(peer, group, topic_id, partitions, peer.name(member)[-36:])


class Member:
    """A member of a share group that fetches all partitions of a topic on a connection of its own."""

    def __init__(self, peer, group, topic_id, partitions, member):
        self.peer, self.group, self.topic_id, self.partitions, self.member = peer, group, topic_id, partitions, member
        self.epoch, self.connection = 0, peer.connect()

    def topics(self, acks=None, partitions=None):
        listed = range(self.partitions) if partitions is None else partitions
        return [
            {
                "topicId": self.topic_id,
                "partitions": [
                    {"partitionIndex": p, "acknowledgementBatches": (acks or {}).get(p, [])} for p in listed
                ],
            }
        ]

    def fetch(self, v=1, wait=2000, acks=None, **fields):
        listed = None if self.epoch == 0 else sorted(acks or {})
        ask = {
            "groupId": self.group,
            "memberId": self.member,
            "shareSessionEpoch": self.epoch,
            "maxWaitMs": wait,
            "minBytes": 1,
            "maxBytes": 1 << 20,
            "maxRecords": 500,
            "batchSize": 500,
            "topics": self.topics(acks, listed) if listed != [] else [],
            "forgottenTopicsData": [],
            **fields,
        }
        answer = self.connection.call("ShareFetch", v, **ask)
        if answer["errorCode"] == 0 and self.epoch >= 0:
            self.epoch += 1
        return shown(answer)

    def acknowledge(self, acks, v=1, **fields):
        ask = {
            "groupId": self.group,
            "memberId": self.member,
            "shareSessionEpoch": self.epoch,
            "topics": self.topics(acks, sorted(acks)),
            **fields,
        }
        answer = self.connection.call("ShareAcknowledge", v, **ask)
        if answer["errorCode"] == 0 and self.epoch >= 0:
            self.epoch += 1
        return answer

    def first_again(self, **fields):
        """Fetches until something has come."""

        def some():
            answer = self.fetch(wait=200, **fields)
            held = any(p["acquiredRecords"] for t in answer["responses"] for p in t["partitions"])
            return answer if held else None

        return wait_for(some, f"{self.peer.kind}: records")

    def taken(self):
        """All that can be acquired of all partitions, as ranges."""
        held = {}
        while True:
            answer, before = self.fetch(wait=300), len(held)
            for topic in answer["responses"]:
                for p in topic["partitions"]:
                    for a in p["acquiredRecords"]:
                        held[p["partitionIndex"], a["firstOffset"]] = a
            if len(held) == before and len({p for p, _ in held}) == self.partitions:
                return [held[k] for k in sorted(held)]

    def first_records(self, **fields):
        """Fetches until all share partitions have been loaded and something of each has come: the last answer."""
        seen, answer = set(), None

        def all_seen():
            nonlocal answer
            answer = self.fetch(**fields)
            for topic in answer["responses"]:
                seen.update(p["partitionIndex"] for p in topic["partitions"] if p["acquiredRecords"])
            return len(seen) == self.partitions

        wait_for(all_seen, f"{self.peer.kind}: records")
        return answer


def shown(answer):
    """Records by their offsets: what the batches say otherwise is compared elsewhere."""
    for topic in answer["responses"]:
        for p in topic["partitions"]:
            p["records"] = [b["baseOffset"] for b, _ in records.headers_of(p["records"] or b"")]
    return answer


def ack(first, last, *types):
    return {"firstOffset": first, "lastOffset": last, "acknowledgeTypes": list(types)}


def filled(peer, batches=3, each=5, partitions=1, **configs):
    """A topic with batches of records and share partitions that begin at 0: (group, topic, its id)."""
    group, topic, topic_id = prepared(peer, partitions, **configs)
    for p in range(partitions):
        initialize(peer, group, topic_id, p)
        for _ in range(batches):
            produce(peer, topic, each, p)
    return group, topic, topic_id


def produce(peer, topic, n, partition=0, **fields):
    made = records.batch([b"x" * 10] * n)
    answer = peer.produce(topic, made, partition, **fields)
    check(answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")


def filled_again(peer, suffix, **fields):
    """The same for one more topic of the scenario."""
    topic = peer.create(peer.name(f"t-{suffix}"))
    group, topic_id = peer.name(f"g-{suffix}"), peer.topic_id(topic)
    coordinator(peer, group, topic_id)
    initialize(peer, group, topic_id)
    for _ in range(fields.get("batches", 3)):
        produce(peer, topic, fields.get("each", 5))
    return group, topic, topic_id


def describe(peer, v, group, *topics):
    listed = [{"topicName": name, "partitions": partitions} for name, partitions in topics]
    return peer.call("DescribeShareGroupOffsets", v, groups=[{"groupId": group, "topics": listed}])


def configure(peer, group, values):
    configs = [{"name": k, "configOperation": 0, "value": v} for k, v in values.items()]
    answer = peer.must(
        "IncrementalAlterConfigs",
        1,
        resources=[{"resourceType": 32, "resourceName": group, "configs": configs}],
        validateOnly=False,
    )
    check(answer["responses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")


def loaded(member):
    """An acknowledgement finds a share partition that is loaded; what is asked is wrong."""
    answer = member.fetch(wait=50)
    return answer["errorCode"] == 0


def describe_all(peer, group):
    return peer.call("DescribeShareGroupOffsets", 1, groups=[{"groupId": group, "topics": None}])


def alter(peer, group, *topics):
    listed = [
        {
            "topicName": name,
            "partitions": [{"partitionIndex": p, "startOffset": offset} for p, offset in partitions],
        }
        for name, partitions in topics
    ]
    return peer.call("AlterShareGroupOffsets", 0, groupId=group, topics=listed)


def forget(peer, group, *topics):
    return peer.call("DeleteShareGroupOffsets", 0, groupId=group, topics=[{"topicName": t} for t in topics])


def group_coordinator(peer, group):
    def there():
        found = peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0
        return found and peer.must("OffsetFetch", 5, groupId=group, topics=[])["errorCode"] == 0

    wait_for(there, f"{peer.kind}: a group coordinator")


def heartbeat(peer, group, member, epoch, *topics):
    return peer.call(
        "ShareGroupHeartbeat",
        1,
        groupId=group,
        memberId=member,
        memberEpoch=epoch,
        rackId=None,
        subscribedTopicNames=list(topics) or None,
    )
