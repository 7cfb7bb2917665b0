"""Requests of streams groups (KIP-1071), as scenarios send them."""

LEAVE, LEAVE_STATIC = -1, -2


def info(name, partitions=0, replication=0, **configs):
    return {
        "name": name,
        "partitions": partitions,
        "replicationFactor": replication,
        "topicConfigs": [{"key": k.replace("_", "."), "value": v} for k, v in configs.items()],
    }


def part(name, sources=(), changelogs=(), sinks=(), repartitions=(), joined=(), **fields):
    """A subtopology. joined: (indexes of sources, indexes of repartition sources)."""
    return {
        "subtopologyId": name,
        "sourceTopics": list(sources),
        "sourceTopicRegex": [],
        "stateChangelogTopics": list(changelogs),
        "repartitionSinkTopics": list(sinks),
        "repartitionSourceTopics": list(repartitions),
        "copartitionGroups": [
            {"sourceTopics": list(s), "sourceTopicRegex": [], "repartitionSourceTopics": list(r)} for s, r in joined
        ],
        **fields,
    }


def topology(*parts, epoch=0):
    return {"epoch": epoch, "subtopologies": list(parts)}


def tasks(**partitions):
    """tasks(s0=[0, 1]): those of the subtopology 0."""
    return [{"subtopologyId": k[1:], "partitions": v} for k, v in partitions.items()]


def beat(peer, group, member, epoch, **fields):
    fields = {"endpointInformationEpoch": 0, "shutdownApplication": False, **fields}
    if "active" in fields or "standby" in fields:
        fields["activeTasks"] = fields.pop("active", [])
        fields["standbyTasks"] = fields.pop("standby", [])
        fields["warmupTasks"] = []
    return peer.call("StreamsGroupHeartbeat", 0, groupId=group, memberId=member, memberEpoch=epoch, **fields)


def enter(peer, group, member, shape, **fields):
    fields = {"rebalanceTimeoutMs": 10000, "processId": f"process of {member}", "active": [], **fields}
    return beat(peer, group, member, 0, topology=shape, **fields)


def describe(peer, group):
    answer = peer.call("StreamsGroupDescribe", 0, groupIds=[group], includeAuthorizedOperations=False)
    for g in answer["groups"]:
        g["epochOfGroup"] = g["groupEpoch"]
    return answer
