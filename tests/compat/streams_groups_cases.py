"""StreamsGroupHeartbeat, StreamsGroupDescribe and what else a group of KIP-1071 answers: topologies, internal topics,
tasks on their way from member to member, fencing, statuses, offsets with member epochs."""

import time

from exchange import exchange
from lib.case import check, main, wait_for
from streams_group import LEAVE, LEAVE_STATIC, beat, describe, enter, info, part, tasks, topology

def settled(peer, topic):
    """The topic's id is known to the scenario, and the coordinator has heard of the topic."""
    peer.must("Metadata", 12, topics=[{"name": topic}], allowAutoTopicCreation=False)
    time.sleep(0.3)
    return topic


def configure(peer, group, **values):
    configs = [{"name": k.replace("_", "."), "configOperation": 0, "value": v} for k, v in values.items()]
    answer = peer.must(
        "IncrementalAlterConfigs",
        1,
        validateOnly=False,
        resources=[{"resourceType": 32, "resourceName": group, "configs": configs}],
    )
    check(answer["responses"][0]["errorCode"] == 0, f"{peer.kind}: {answer}")
    time.sleep(0.3)


def prepare(peer, group, **more):
    """The coordinator answers, and assigns at once and as often as it is asked."""
    wait_for(lambda: peer.must("FindCoordinator", 1, key=group)["errorCode"] == 0, "a coordinator")
    wait_for(lambda: beat(peer, group, "nobody", 5)["errorCode"] == 69, "the group's partition to load")
    configure(peer, group, streams_assignment_interval_ms="0", streams_initial_rebalance_delay_ms="0", **more)
    return group


@exchange(seconds=90, texts=True)
def malformed_heartbeats(peer):
    group = prepare(peer, peer.name("g"))
    topic = settled(peer, peer.create(peer.name("t"), 2))
    simple = topology(part("0", [topic]))
    call = lambda m, e, g=group, **f: beat(peer, g, m, e, **f)  # noqa: E731
    yield "no group", call("m", 0, "")
    yield "blank group", call("m", 0, "  ")
    yield "no member", call("", 1)
    yield "blank member", call(" ", 3)
    yield "an instance", enter(peer, group, "m", simple, instanceId="i")
    yield "empty rack", call("m", 0, rackId=" ")
    yield "no timeout", call("m", 0)
    yield "tasks are null", call("m", 0, rebalanceTimeoutMs=100)
    yield "no topology", call("m", 0, rebalanceTimeoutMs=100, active=[])
    yield "a topology later", call("m", 2, topology=simple)
    yield "tasks when joining", enter(peer, group, "m", simple, active=tasks(s0=[0]))
    yield "standbys when joining", enter(peer, group, "m", simple, standby=tasks(s0=[0]))
    yield "one kind of tasks", call("m", 2, activeTasks=[])
    yield "warm-ups", call("m", 2, activeTasks=[], standbyTasks=[], warmupTasks=tasks(s0=[0]))
    yield "offsets", call("m", 2, taskOffsets=[])
    yield "end offsets", call("m", 2, taskEndOffsets=[])
    yield "epoch -3", call("m", -3)
    yield "leaves for a while", call("m", LEAVE_STATIC)
    yield "unknown group", call("m", 1, peer.name("none"))
    yield "unknown group leaves", call("m", LEAVE, peer.name("none"))
    yield "regex", enter(peer, group, "m", topology(part("0", [topic], sourceTopicRegex=["a.*"])))
    yield "changelog with partitions", enter(peer, group, "m", topology(part("0", [topic], [info("c", 3)])))
    yield "internal topic", enter(peer, group, "m", topology(part("0", ["__consumer_offsets"])))
    yield "bad name", enter(peer, group, "m", topology(part("0", [topic], [info("a b")])))
    yield "no sources", enter(peer, group, "m", topology(part("0", [], [info(peer.name("c"))])))
    yield "negative epoch", enter(peer, group, "m", topology(part("0", [topic]), epoch=-1))
    yield "the same subtopology twice", enter(peer, group, "m", topology(part("0", [topic]), part("0", [topic])))
    yield "never a sink", enter(peer, group, "m", topology(part("0", [], [], [], [info(peer.name("r"))])))
    loop = topology(
        part("0", [], [], [peer.name("r1")], [info(peer.name("r0"))]),
        part("1", [], [], [peer.name("r0")], [info(peer.name("r1"))]),
    )
    yield "a loop", enter(peer, group, "m", loop)
    yield "joined with nothing", enter(peer, group, "m", topology(part("0", [topic], joined=[([3], [])])))
    yield "no group was made", describe(peer, group)


@exchange(seconds=90, texts=True)
def one_member(peer):
    topic = settled(peer, peer.create(peer.name("t"), 3))
    group = prepare(peer, peer.name("g"))
    shape = topology(part("0", [topic]))
    yield "described before", describe(peer, group)
    yield "joins", enter(peer, group, "m", shape, clientTags=[{"key": "zone", "value": "a"}], rackId="r")
    yield "beats", beat(peer, group, "m", 2)
    yield "has it", beat(peer, group, "m", 2, active=tasks(s0=[0, 1, 2]))
    yield "described", describe(peer, group)
    yield "greater epoch", beat(peer, group, "m", 3)
    yield "smaller epoch", beat(peer, group, "m", 1)
    yield "unknown subtopology", beat(peer, group, "m", 2, active=tasks(s7=[0]))
    yield "unknown task", beat(peer, group, "m", 2, active=tasks(s0=[3]))
    yield "another member", beat(peer, group, "x", 2)
    yield "joins again", enter(peer, group, "m", shape)
    yield "another topology", enter(peer, group, "m", topology(part("0", [topic], [info(peer.name("c"))])))
    yield "a newer topology", enter(peer, group, "n", topology(part("0", [topic]), epoch=1))
    for v in (4, 5):
        yield f"listed, v{v}", [
            g for g in peer.call("ListGroups", v, statesFilter=[], typesFilter=["streams"])["groups"] if g["groupId"] == group
        ]
    for state in ("stable", "not_ready", "NotReady", "Empty"):
        yield f"in state {state}", [
            g["groupId"]
            for g in peer.call("ListGroups", 5, statesFilter=[state], typesFilter=[])["groups"]
            if g["groupId"] == group
        ]
    yield "as a classic group", peer.call("DescribeGroups", 6, groups=[group], includeAuthorizedOperations=False)
    yield "not deleted", peer.call("DeleteGroups", 2, groupsNames=[group])
    yield "leaves", beat(peer, group, "m", LEAVE)
    yield "leaves again", beat(peer, group, "m", LEAVE)
    yield "empty", describe(peer, group)
    yield "deleted", peer.call("DeleteGroups", 2, groupsNames=[group])
    yield "gone", describe(peer, group)
    yield "no group", peer.call("StreamsGroupDescribe", 0, groupIds=["", group], includeAuthorizedOperations=True)


def until(peer, group, member, epoch, done, **fields):
    """Beats until the answer is as wanted; gives it."""
    answers = []

    def look():
        answers.append(beat(peer, group, member, epoch, **fields))
        return done(answers[-1])

    wait_for(look, f"{peer.kind}: another answer to {member}", pause=0.2)
    return answers[-1]


@exchange(seconds=120, texts=True)
def internal_topics(peer):
    """Repartition and changelog topics are created; what is missing or does not fit is a status."""
    topic, other = peer.name("t"), peer.name("u")
    group = prepare(peer, peer.name("g"))
    changelog, repartition = peer.name("c"), peer.name("r")
    shape = topology(
        part("0", [topic], sinks=[repartition]),
        part("1", [other], [info(changelog, **{"cleanup_policy": "compact"})], [], [info(repartition)], [([0], [0])]),
    )
    yield "sources are missing", enter(peer, group, "m", shape)
    yield "described", describe(peer, group)
    settled(peer, peer.create(topic, 4))
    yield "one is missing", beat(peer, group, "m", 2)
    settled(peer, peer.create(other, 2))
    answer = until(peer, group, "m", 3, lambda a: a["errorCode"] == 0)
    answer["status"] = [s for s in answer["status"] if s["statusCode"] != 3] + ["missing"] * any(
        s["statusCode"] == 3 for s in answer["status"]
    )
    yield "internal topics are missing", answer["status"]
    ready = until(peer, group, "m", 4, lambda a: not a["status"], active=[])
    yield "all are there", {k: ready[k] for k in ("errorCode", "status")}
    wait_for(lambda: describe(peer, group)["groups"][0]["groupState"] == "Stable", "stable")
    yield "described at last", describe(peer, group)["groups"][0]["topology"]
    for name in (changelog, repartition):
        settled(peer, name)
        made = peer.call("DescribeTopicPartitions", 0, topics=[{"name": name}], responsePartitionLimit=100)
        yield f"{name} made", [len(t["partitions"]) for t in made["topics"]]
        yield f"{name} configured", peer.call(
            "DescribeConfigs",
            4,
            resources=[{"resourceType": 2, "resourceName": name, "configurationKeys": ["cleanup.policy"]}],
        )


@exchange(seconds=120, texts=True)
def wrong_partitions(peer):
    two, three = (settled(peer, peer.create(peer.name(f"t{n}"), n)) for n in (2, 3))
    group = prepare(peer, peer.name("g0"))
    shape = topology(part("0", [two, three], joined=[([0, 1], [])]))
    yield "sources differ", enter(peer, group, "m", shape)
    fixed = info(peer.name("r"), 5)
    shape = topology(part("0", [two], sinks=[peer.name("r")]), part("1", [two], [], [], [fixed], [([0], [0])]))
    yield "a fixed one differs", enter(peer, prepare(peer, peer.name("g1")), "m", shape)
    changelog = settled(peer, peer.create(peer.name("c"), 1))
    group = prepare(peer, peer.name("g2"))
    yield "a changelog differs", enter(peer, group, "m", topology(part("0", [three], [info(changelog)])))
    yield "described", describe(peer, group)
    bad = info(peer.name("d"), **{"cleanup_policy": "never"})
    group = prepare(peer, peer.name("g3"))
    yield "a changelog cannot be made", enter(peer, group, "m", topology(part("0", [three], [bad])))["status"]
    said = until(peer, group, "m", 2, lambda a: "Creation failed" in str(a["status"]))
    yield "and why", [(s["statusCode"], "Creation failed" in s["statusDetail"]) for s in said["status"]]


@exchange(seconds=120, texts=True)
def tasks_move(peer):
    """A task goes to the second member when the first has given it up."""
    topic = settled(peer, peer.create(peer.name("t"), 4))
    group = prepare(peer, peer.name("g"))
    shape = topology(part("0", [topic]))
    yield "a joins", enter(peer, group, "a", shape)
    yield "b joins", enter(peer, group, "b", shape)
    answer = beat(peer, group, "a", 2, active=tasks(s0=[0, 1, 2, 3]))
    yield "a is to give up", answer
    kept = answer["activeTasks"][0]["partitions"]
    yield "b waits", beat(peer, group, "b", 3, active=[])
    yield "described", describe(peer, group)
    yield "a has them still", beat(peer, group, "a", 2, active=tasks(s0=[0, 1, 2, 3]))
    yield "a gave up", beat(peer, group, "a", 2, active=tasks(s0=kept))
    yield "b gets them", beat(peer, group, "b", 3, active=[])
    yield "described again", describe(peer, group)
    commit = {"groupId": group, "memberId": "a", "retentionTimeMs": -1}
    at = lambda n: [  # noqa: E731
        {"name": topic, "partitions": [{"partitionIndex": n, "committedOffset": 5, "committedMetadata": ""}]}
    ]
    for v in (8, 9):
        for epoch in (2, 3, 4, 99):
            for p in (0, 3):
                yield f"commit v{v} at {epoch} of {p}", peer.call(
                    "OffsetCommit", v, **{**commit, "generationIdOrMemberEpoch": epoch, "topics": at(p)}
                )
    yield "commit of nobody", peer.call(
        "OffsetCommit", 9, **{**commit, "memberId": "x", "generationIdOrMemberEpoch": 3, "topics": at(0)}
    )
    yield "commit of an administrator", peer.call(
        "OffsetCommit", 9, **{**commit, "memberId": "", "generationIdOrMemberEpoch": -1, "topics": at(0)}
    )
    for member, epoch in (("a", 3), ("a", 2), ("x", 3), (None, -1)):
        groups = [{"groupId": group, "memberId": member, "memberEpoch": epoch, "topics": None}]
        yield f"fetch {member} at {epoch}", peer.call("OffsetFetch", 9, groups=groups, requireStable=False)
    yield "offsets deleted", peer.call(
        "OffsetDelete", 0, groupId=group, topics=[{"name": topic, "partitions": [{"partitionIndex": 0}]}]
    )
    yield "a joins as classic", peer.call(
        "JoinGroup", 9, groupId=group, memberId="", sessionTimeoutMs=10000, rebalanceTimeoutMs=10000,
        protocolType="consumer", protocols=[{"name": "range", "metadata": b""}],
    )
    yield "a consumer", peer.call(
        "ConsumerGroupHeartbeat", 1, groupId=group, memberId="c", memberEpoch=0, rebalanceTimeoutMs=1000,
        subscribedTopicNames=[topic], topicPartitions=[],
    )
    yield "shuts down", beat(peer, group, "a", 3, shutdownApplication=True)
    yield "hears of it", beat(peer, group, "b", 3)
    yield "a leaves", beat(peer, group, "a", LEAVE)
    yield "b gets all", beat(peer, group, "b", 3, active=tasks(s0=[n for n in range(4) if n not in kept]))


@exchange(seconds=120, texts=True)
def delays_and_standbys(peer):
    topic = settled(peer, peer.create(peer.name("t"), 2))
    changelog = settled(peer, peer.create(peer.name("c"), 2))
    group = peer.name("g")
    prepare(peer, group)
    configure(peer, group, streams_initial_rebalance_delay_ms="1500", streams_num_standby_replicas="1")
    shape = topology(part("0", [topic], [info(changelog)]))
    yield "a joins", enter(peer, group, "a", shape, userEndpoint={"host": "h", "port": 7})
    yield "b joins", enter(peer, group, "b", shape, userEndpoint={"host": "i", "port": 8})
    yield "a waits", beat(peer, group, "a", 1, active=[])
    time.sleep(2)
    answers = [beat(peer, group, m, 1, active=[]) for m in ("a", "b")]
    yield "how many each", [
        [sum(len(t["partitions"]) for t in a[k]) for k in ("activeTasks", "standbyTasks")] for a in answers
    ]
    yield "endpoints", sorted(len(a["partitionsByUserEndpoint"] or []) for a in answers)
    yield "state", describe(peer, group)["groups"][0]["groupState"]
    configure(peer, group, streams_num_standby_replicas="0")
    yield "fewer standbys", {k: v for k, v in beat(peer, group, "a", answers[0]["memberEpoch"]).items() if k in ("errorCode", "memberEpoch")}
    yield "stale topology", [
        enter(peer, prepare(peer, peer.name("old")), "m", topology(part("0", [topic]), epoch=3))["status"],
        enter(peer, peer.name("old"), "n", topology(part("0", [topic]), epoch=2))["status"],
    ]


if __name__ == "__main__":
    main()
