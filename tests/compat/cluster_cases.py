"""What administrators change: features, SCRAM users, leaders and assignments of partitions, voters and brokers."""

from cluster_helpers import both
from exchange import exchange
from lib.broker import Broker
from lib.case import case, check, main, wait_for
from lib.wire import versions

UPGRADE, SAFE, UNSAFE = 1, 2, 3
LEVELS = {
    "metadata.version": 30, "kraft.version": 0, "group.version": 1, "transaction.version": 2, "share.version": 1,
    "streams.version": 1, "eligible.leader.replicas.version": 1,
}  # fmt: skip


def update(peer, v, *updates, validate=False):
    """updates: (feature, level, type)."""
    fields = [
        {"feature": f, "maxVersionLevel": level, **({"upgradeType": kind} if v else {"allowDowngrade": kind != UPGRADE})}
        for f, level, kind in updates
    ]  # fmt: skip
    return peer.call(
        "UpdateFeatures", v, timeoutMs=10000, featureUpdates=fields, **({"validateOnly": validate} if v else {})
    )


def finalized(peer):
    answer = peer.must("ApiVersions", 4, clientSoftwareName="c", clientSoftwareVersion="1")
    return {f["name"]: f["maxVersionLevel"] for f in answer["finalizedFeatures"]}


def reached(peer, **levels):
    """The finalized features, once these are among them (0: not)."""
    wanted = {name.replace("_", "."): level for name, level in levels.items()}

    def there():
        have = finalized(peer)
        return {"features": have} if all(have.get(f, 0) == level for f, level in wanted.items()) else None

    return wait_for(there, f"{peer.kind}: {wanted}", 10)


@exchange(texts=True)
def feature_updates_that_change_nothing(peer):
    """Errors, and what is validated only; each version."""
    for v in versions("UpdateFeatures"):
        yield f"v{v} nothing", update(peer, v)
        for name, level in LEVELS.items():
            for kind in (UPGRADE, SAFE, UNSAFE):
                yield f"v{v} {name} the same {kind}", update(peer, v, (name, level, kind), validate=True)
            yield f"v{v} {name} too high", update(peer, v, (name, level + 9, UPGRADE))
            yield f"v{v} {name} below 0", update(peer, v, (name, -1, SAFE))
            yield f"v{v} {name} an upgrade downwards", update(peer, v, (name, max(level - 1, 0), UPGRADE), validate=True)
        yield f"v{v} unknown", update(peer, v, ("no.such.feature", 1, UPGRADE))
        yield f"v{v} unknown to 0", update(peer, v, ("no.such.feature", 0, SAFE))
        yield f"v{v} one good one bad", update(peer, v, ("group.version", 1, UPGRADE), ("x", 5, UPGRADE), validate=True)
        yield f"v{v} metadata.version with a change", update(peer, v, ("metadata.version", 25, SAFE))
        yield f"v{v} metadata.version with a change unsafe", update(peer, v, ("metadata.version", 7, UNSAFE))
        yield f"v{v} metadata.version too low", update(peer, v, ("metadata.version", 6, UNSAFE))
    for v in (1, 2):
        for kind in (0, 4, -1):
            yield f"v{v} type {kind}", update(peer, v, ("group.version", 1, kind))
        yield f"v{v} downgrade upwards", update(peer, v, ("metadata.version", 31, SAFE))
        for name in LEVELS:
            for kind in (SAFE, UNSAFE):
                yield f"v{v} {name} to 0 {kind}", update(peer, v, (name, 0, kind), validate=True)
        yield f"v{v} empty name", update(peer, v, ("", 1, UPGRADE))


def features_up_and_down(peer):
    yield "begin", {"features": finalized(peer)}
    for v in (1, 2):
        for name, high in (("group.version", 1), ("transaction.version", 2), ("share.version", 1),
                           ("streams.version", 1), ("eligible.leader.replicas.version", 1)):  # fmt: skip
            for level, kind in ((0, SAFE), (high, UPGRADE), (0, UNSAFE), (high, UPGRADE)):
                yield f"v{v} {name} to {level}", update(peer, v, (name, level, kind))
                yield f"v{v} {name} is {level}", reached(peer, **{name.replace(".", "_"): level})
    yield "transaction.version down by one", update(peer, 2, ("transaction.version", 1, SAFE))
    yield "then", reached(peer, transaction_version=1)
    yield "two at once, one twice", update(
        peer, 1, ("transaction.version", 2, UPGRADE), ("share.version", 0, SAFE), ("group.version", 1, UPGRADE)
    )
    yield "then both", reached(peer, transaction_version=2, share_version=0)
    yield "none of two when one is bad", update(peer, 1, ("share.version", 1, UPGRADE), ("group.version", 7, UPGRADE))
    yield "as before", {"features": finalized(peer)}
    yield "v0 upwards", update(peer, 0, ("share.version", 1, UPGRADE))
    yield "v0 upwards then", reached(peer, share_version=1)
    yield "v0 downwards", update(peer, 0, ("share.version", 0, UPGRADE))
    yield "v0 downwards allowed", update(peer, 0, ("share.version", 0, SAFE))
    # The quorum's own
    yield "kraft.version validated", update(peer, 1, ("kraft.version", 1, UPGRADE), validate=True)
    yield "kraft.version up", update(peer, 1, ("kraft.version", 1, UPGRADE))
    yield "kraft.version is 1", reached(peer, kraft_version=1)
    yield "again", update(peer, 2, ("kraft.version", 1, UPGRADE))
    for kind in (UPGRADE, SAFE, UNSAFE):
        yield f"back {kind}", update(peer, 2, ("kraft.version", 0, kind))
    yield "the quorum", peer.call(
        "DescribeQuorum", 2, topics=[{"topicName": "__cluster_metadata", "partitions": [{"partitionIndex": 0}]}]
    )["topics"][0]["partitions"][0]["currentVoters"][0]["replicaId"] and {"voter": True}


def after_a_restart(peer):
    yield "features", {"features": finalized(peer)}
    answer = peer.call(
        "DescribeQuorum", 2, topics=[{"topicName": "__cluster_metadata", "partitions": [{"partitionIndex": 0}]}]
    )
    voters = answer["topics"][0]["partitions"][0]["currentVoters"]
    yield "voters", {"voters": [(v["replicaId"], v["replicaDirectoryId"] != "00" * 16) for v in voters]}
    directory = voters[0]["replicaDirectoryId"]
    at = [{"name": "CONTROLLER", "host": "127.0.0.1", "port": 1}]
    for label, voter, where in (
        ("that votes", 1, directory),
        ("that votes, elsewhere", 1, "33" * 16),
        ("that is not there", 2, "33" * 16),
    ):
        yield f"add one {label}", peer.call(
            "AddRaftVoter", 1, clusterId=None, timeoutMs=3000, voterId=voter, voterDirectoryId=where, listeners=at
        )
    for label, voter, where in (("unknown", 2, "33" * 16), ("elsewhere", 1, "33" * 16)):
        yield f"remove one {label}", peer.call("RemoveRaftVoter", 0, clusterId=None, voterId=voter, voterDirectoryId=where)


@case(seconds=180, needs=("java",), alone=True)
def features_and_the_quorum():
    """Levels go up and down, kraft.version goes up once; a restart finds it all, and each finds it in the directory
    of the other."""
    with Broker("kafka") as kafka, Broker("ottla") as ottla:
        kafka.start()
        ottla.start()
        both(features_up_and_down, kafka, ottla)
        for broker in (kafka, ottla):
            check(broker.stop(), f"{broker.kind} did not stop by itself")
        kafka.start()
        ottla.start()
        both(after_a_restart, kafka, ottla)
        for broker in (kafka, ottla):
            check(broker.stop(), f"{broker.kind} did not stop by itself")
        kafka.start("ottla")
        ottla.start("kafka")
        both(after_a_restart, ottla, kafka)


def users(peer, *names):
    return [peer.name(n) for n in names]


def upsert(name, mechanism=1, iterations=4096, salt=b"salt", password=b"s" * 32):
    return {"name": name, "mechanism": mechanism, "iterations": iterations, "salt": salt, "saltedPassword": password}


def own_users(peer, answer):
    answer["results"] = [r for r in answer["results"] if r["user"].startswith(peer.prefix)]
    return answer


def described(peer, *names):
    return peer.call("DescribeUserScramCredentials", 0, users=[{"name": n} for n in names])


@exchange(texts=True)
def scram_users(peer):
    alice, bob, carol = users(peer, "alice", "bob", "carol")

    def alter(deletions=(), upsertions=()):
        return peer.call(
            "AlterUserScramCredentials", 0,
            deletions=[{"name": n, "mechanism": m} for n, m in deletions], upsertions=list(upsertions),
        )  # fmt: skip

    def there(count, *names):
        def found():
            answer = described(peer, *names)
            infos = [len(r["credentialInfos"]) for r in answer["results"] if not r["errorCode"]]
            return answer if sum(infos) == count else None

        return wait_for(found, f"{peer.kind}: {count} credentials", 10)

    yield "nothing", alter()
    yield "none yet", described(peer, alice, bob)
    yield "one", alter(upsertions=[upsert(alice)])
    yield "one there", there(1, alice)
    yield "the other mechanism", alter(upsertions=[upsert(alice, 2, 16384, password=b"p" * 64)])
    yield "both there", there(2, alice)
    yield "changed", alter(upsertions=[upsert(alice, 1, 5000), upsert(bob, 2)])
    yield "changed there", there(3, alice, bob)
    for label, change in (
        ("too few", upsert(carol, iterations=4095)),
        ("too many", upsert(carol, iterations=16385)),
        ("mechanism 0", upsert(carol, 0)),
        ("mechanism 3", upsert(carol, 3)),
        ("mechanism -1", upsert(carol, -1)),
        ("no name", upsert("")),
        ("no salt", upsert(carol, salt=b"")),
        ("an empty password", upsert(bob, 1, password=b"")),
    ):
        yield label, alter(upsertions=[change])
    yield "no salt there", there(1, carol)
    yield "twice", alter(upsertions=[upsert(carol), upsert(carol, 2)])
    yield "thrice", alter(upsertions=[upsert(carol), upsert(carol, 2), upsert(carol)])
    yield "bad, then good", alter(upsertions=[upsert(carol, 7), upsert(carol, 2)])
    yield "good, then bad", alter(upsertions=[upsert(carol, 1), upsert(carol, 7)])
    yield "deleted and made", alter([(alice, 1)], [upsert(alice, 1)])
    yield "deleted twice", alter([(alice, 1), (alice, 2)])
    for label, name, mechanism in (
        ("of another mechanism", carol, 2), ("of nobody", peer.name("nobody"), 1), ("without a name", "", 1),
        ("unknown mechanism", alice, 9),
    ):  # fmt: skip
        yield f"delete {label}", alter([(name, mechanism)])
    yield "some good, some bad", alter([(alice, 1), (bob, 1)], [upsert(carol, 2, 1), upsert(peer.name("dora"))])
    yield "some there", there(4, alice, bob, carol, peer.name("dora"))
    yield "described twice", described(peer, alice, bob, alice, alice, peer.name("nobody"))
    for asked in (None, []):
        yield f"all, asked by {asked}", own_users(peer, peer.call("DescribeUserScramCredentials", 0, users=asked))
    yield "empty name described", described(peer, "")
    yield "delete all", alter([(alice, 2), (bob, 2), (carol, 1), (peer.name("dora"), 1)])
    yield "all gone", there(0, alice, bob, carol)


@exchange(texts=True)
def elections(peer):
    topic = peer.create(peer.name("t"), 3)
    named = [{"topic": topic, "partitions": [0, 2]}]
    for v in versions("ElectLeaders"):
        kinds = (0, 1) if v else (0,)
        for kind in kinds:
            fields = {"electionType": kind} if v else {}
            yield f"v{v} {kind} needed by none", peer.call("ElectLeaders", v, topicPartitions=named, **fields)
            yield f"v{v} {kind} none", peer.call("ElectLeaders", v, topicPartitions=[], **fields)
            yield f"v{v} {kind} no partitions", peer.call(
                "ElectLeaders", v, topicPartitions=[{"topic": topic, "partitions": []}], **fields
            )
            yield f"v{v} {kind} unknown", peer.call(
                "ElectLeaders", v, **fields,
                topicPartitions=[{"topic": topic, "partitions": [0, 7, -1]}, {"topic": "no-such", "partitions": [0]},
                                 {"topic": "", "partitions": [1]}],
            )  # fmt: skip
            answer = peer.call("ElectLeaders", v, topicPartitions=None, **fields)
            answer["replicaElectionResults"] = [r for r in answer["replicaElectionResults"] if r["topic"] == topic]
            yield f"v{v} {kind} all", answer
        for kind in (2, -1) if v else ():
            yield f"v{v} type {kind}", peer.call("ElectLeaders", v, topicPartitions=named, electionType=kind)
            yield f"v{v} type {kind} all", peer.call("ElectLeaders", v, topicPartitions=None, electionType=kind)
    yield "twice the same", peer.call("ElectLeaders", 2, topicPartitions=named + named, electionType=0)


@exchange(texts=True)
def reassignments(peer):
    topic = peer.create(peer.name("t"), 2)

    def alter(v, *partitions, name=topic, **fields):
        targets = [{"partitionIndex": p, "replicas": replicas} for p, replicas in partitions]
        return peer.call("AlterPartitionReassignments", v, topics=[{"name": name, "partitions": targets}], **fields)

    for v in versions("AlterPartitionReassignments"):
        yield f"v{v} nothing", peer.call("AlterPartitionReassignments", v, topics=[])
        yield f"v{v} no partitions", alter(v)
        yield f"v{v} to where it is", alter(v, (0, [1]), (1, [1]))
        yield f"v{v} cancel none", alter(v, (0, None), (1, None))
        yield f"v{v} unknown partitions", alter(v, (2, [1]), (-1, [1]), (9, None))
        yield f"v{v} unknown topic", alter(v, (0, [1]), (0, None), name="no-such")
        yield f"v{v} empty topic", alter(v, (0, [1]), name="")
        yield f"v{v} bad replicas", alter(v, (0, []), (0, [2]), (0, [1, 2]), (0, [1, 1]), (1, [-1]))
        if v:
            for allowed in (True, False):
                yield f"v{v} change of the factor {allowed}", alter(
                    v, (0, [1]), (1, [1, 1]), (1, [1, 5]), (0, []), allowReplicationFactorChange=allowed
                )
                yield f"v{v} nothing, {allowed}", peer.call(
                    "AlterPartitionReassignments", v, topics=[], allowReplicationFactorChange=allowed
                )
    for topics in (
        None, [], [{"name": topic, "partitionIndexes": [0, 1, 5]}], [{"name": "no-such", "partitionIndexes": [0]}],
        [{"name": topic, "partitionIndexes": []}],
    ):  # fmt: skip
        yield f"list {topics}", peer.call("ListPartitionReassignments", 0, topics=topics)
    yield "the topic is as before", peer.call("Metadata", 12, topics=[{"name": topic}])["topics"][0]


def a_broker_that_is_unregistered(peer):
    yield "unregister", peer.call("UnregisterBroker", 0, brokerId=1)
    wait_for(lambda: not peer.must("Metadata", 12, topics=[])["brokers"], f"{peer.kind}: no brokers", 10)
    yield "again", peer.call("UnregisterBroker", 0, brokerId=1)
    yield "metadata", peer.call("Metadata", 12, topics=[])
    yield "a topic", peer.call(
        "CreateTopics", 7, timeoutMs=3000,
        topics=[{"name": peer.name("t"), "numPartitions": 1, "replicationFactor": 1}],
    )  # fmt: skip


@case(seconds=120, needs=("java",), alone=True)
def a_broker_unregisters_and_comes_back():
    with Broker("kafka") as kafka, Broker("ottla") as ottla:
        kafka.start()
        ottla.start()
        both(a_broker_that_is_unregistered, kafka, ottla)
        for broker in (kafka, ottla):
            broker.stop()
            broker.kill()
            broker.start()


main()
