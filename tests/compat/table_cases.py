"""The table of APIs: what ApiVersions says, whole, and the APIs that a node without security, with one voter, or
on the wrong listener refuses."""

import os

from exchange import ZERO, exchange
from lib import wire
from lib.broker import Broker, reference
from lib.case import case, check, equal, main
from lib.wire import APIS, versions

# Served by ottla and not by the reference without a plug-in: client metrics have a sink here that is of use.
OURS = {"GetTelemetrySubscriptions", "PushTelemetry"}


def api_versions(bootstrap, version):
    """{'apis': {name: (min, max)}, and the rest of the answer}; lists that are sets sorted."""
    with wire.Connection(bootstrap) as connection:
        answer = connection.call(
            "ApiVersions", version, clientSoftwareName="ottla-compat", clientSoftwareVersion="1"
        )
    answer["apis"] = {
        wire.KEYS[k["apiKey"]].name: (k["minVersion"], k["maxVersion"]) for k in answer.pop("apiKeys")
    }
    for name in ("supportedFeatures", "finalizedFeatures"):
        if name in answer:
            answer[name] = sorted(answer[name], key=repr)
    answer.pop("finalizedFeaturesEpoch", None)
    return answer


def same_table(kafka, ottla):
    """Both tables, key for key and version for version, and everything else of the answer."""
    for version in list(versions("ApiVersions")) + [99]:
        a, b = api_versions(kafka, version), api_versions(ottla, version)
        theirs, ours = a.pop("apis"), b.pop("apis")
        if version in versions("ApiVersions"):
            for name in OURS:
                check(name not in theirs, f"the reference serves {name}")
                equal(ours.pop(name, None), (0, versions(name)[-1]), f"versions of {name}")
        both = set(theirs) & set(ours)
        odd = [f"only Kafka has {n}" for n in set(theirs) - both] + [f"only ottla has {n}" for n in set(ours) - both]
        odd += [f"{n}: kafka {theirs[n]}, ottla {ours[n]}" for n in both if theirs[n] != ours[n]]
        check(not odd, f"ApiVersions v{version}: " + "; ".join(sorted(odd)))
        equal(b, a, f"the rest of ApiVersions v{version}")


@case(seconds=60, needs=("reference", "broker"))
def api_versions_whole():
    same_table(os.environ["REFERENCE"], os.environ["BOOTSTRAP"])


def unstable(kind):
    """A node on which everything unstable is switched on."""
    extra = {"unstable.api.versions.enable": "true", "unstable.feature.versions.enable": "true"}
    return Broker(kind, extra=extra)


@case(seconds=120, needs=("java",), alone=True)
def api_versions_with_unstable_ones():
    with unstable("kafka") as kafka, unstable("ottla") as ottla:
        kafka.start()
        ottla.start()
        same_table(kafka.bootstrap, ottla.bootstrap)


@exchange()
def apis_of_other_listeners(peer):
    """A broker's listener closes the connection on what is for controllers, or gone."""
    for name in (
        "Vote", "BeginQuorumEpoch", "EndQuorumEpoch", "FetchSnapshot", "AlterPartition", "Envelope",
        "BrokerRegistration", "BrokerHeartbeat", "AllocateProducerIds", "ControllerRegistration",
        "AssignReplicasToDirs", "UpdateRaftVoter",
    ):  # fmt: skip
        for v in (APIS[name].request.versions[0], APIS[name].request.versions[-1]):
            yield f"{name} v{v}", peer.call(name, v)


@exchange()
def sasl_on_a_plain_listener(peer):
    for v in versions("SaslHandshake"):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "none"):
            yield f"SaslHandshake v{v} {mechanism}", peer.call("SaslHandshake", v, mechanism=mechanism)
    for v in versions("SaslAuthenticate"):
        yield f"SaslAuthenticate v{v}", peer.call("SaslAuthenticate", v, authBytes=b"\0alice\0secret")


@exchange()
def acls_without_an_authorizer(peer):
    creation = {"resourceType": 2, "resourceName": "t", "principal": "User:a", "host": "*", "operation": 3,
                "permissionType": 3}  # fmt: skip
    filtered = {"resourceTypeFilter": 1, "patternTypeFilter": 1, "operation": 1, "permissionType": 1}
    for v in versions("DescribeAcls"):
        yield f"describe v{v}", peer.call("DescribeAcls", v, **filtered)
        for field in filtered:
            yield f"describe v{v} unknown {field}", peer.call("DescribeAcls", v, **{**filtered, field: 0})
    for v in versions("CreateAcls"):
        yield f"create v{v}", peer.call("CreateAcls", v, creations=[creation, {**creation, "resourceName": ""}])
        yield f"create none v{v}", peer.call("CreateAcls", v, creations=[])
        for field in ("resourceType", "operation", "permissionType", "resourcePatternType"):
            yield f"create v{v} unknown {field}", peer.call("CreateAcls", v, creations=[{**creation, field: 0}])
    for v in versions("DeleteAcls"):
        yield f"delete v{v}", peer.call("DeleteAcls", v, filters=[filtered, filtered])
        yield f"delete none v{v}", peer.call("DeleteAcls", v, filters=[])
        for field in filtered:
            yield f"delete v{v} unknown {field}", peer.call("DeleteAcls", v, filters=[{**filtered, field: 0}])


@exchange()
def delegation_tokens_on_a_plain_listener(peer):
    alice = {"principalType": "User", "principalName": "alice"}
    for v in versions("CreateDelegationToken"):
        yield f"create v{v}", peer.call("CreateDelegationToken", v, renewers=[alice], maxLifetimeMs=-1)
        yield f"create of another kind v{v}", peer.call(
            "CreateDelegationToken", v, renewers=[{**alice, "principalType": "Group"}], maxLifetimeMs=5
        )
    for name in ("alice", "", None):
        yield f"create for {name}", peer.call(
            "CreateDelegationToken", 3, ownerPrincipalType="User", ownerPrincipalName=name, renewers=[]
        )
    yield "create without a type", peer.call(
        "CreateDelegationToken", 3, ownerPrincipalType=None, ownerPrincipalName="alice", renewers=[]
    )
    for v in versions("RenewDelegationToken"):
        yield f"renew v{v}", peer.call("RenewDelegationToken", v, hmac=b"abc", renewPeriodMs=1000)
    for v in versions("ExpireDelegationToken"):
        yield f"expire v{v}", peer.call("ExpireDelegationToken", v, hmac=b"abc", expiryTimePeriodMs=-1)
    for v in versions("DescribeDelegationToken"):
        for owners in (None, [], [alice]):
            yield f"describe v{v} {owners}", peer.call("DescribeDelegationToken", v, owners=owners)


def voters(peer, directory):
    """Every answer of AddRaftVoter and RemoveRaftVoter that a quorum of one can give."""
    at = [{"name": "CONTROLLER", "host": "127.0.0.1", "port": 1}]
    other = "11" * 16
    for v in versions("AddRaftVoter"):
        for label, fields in (
            ("of another cluster", {"clusterId": "x", "voterId": 2, "voterDirectoryId": other, "listeners": at}),
            ("no id", {"voterId": -1, "voterDirectoryId": other, "listeners": at}),
            ("no directory", {"voterId": 2, "voterDirectoryId": ZERO, "listeners": at}),
            ("no listener", {"voterId": 2, "voterDirectoryId": other, "listeners": []}),
            (
                "another listener",
                {"voterId": 2, "voterDirectoryId": other, "listeners": [{**at[0], "name": "OTHER"}]},
            ),
            ("in this cluster", {"clusterId": reference.CLUSTER_ID, "voterId": 2, "voterDirectoryId": other,
                                 "listeners": at}),
            ("that is not there", {"voterId": 2, "voterDirectoryId": other, "listeners": at}),
            ("that votes", {"voterId": 1, "voterDirectoryId": directory, "listeners": at}),
            ("that votes, elsewhere", {"voterId": 1, "voterDirectoryId": other, "listeners": at}),
        ):  # fmt: skip
            yield f"add v{v} {label}", peer.call("AddRaftVoter", v, clusterId=fields.pop("clusterId", None),
                                                 timeoutMs=2000, **fields)  # fmt: skip
    for label, fields in (
        ("of another cluster", {"clusterId": "x", "voterId": 1, "voterDirectoryId": directory}),
        ("no id", {"voterId": -1, "voterDirectoryId": other}),
        ("no directory", {"voterId": 1, "voterDirectoryId": ZERO}),
        ("unknown", {"voterId": 2, "voterDirectoryId": other}),
        ("elsewhere", {"voterId": 1, "voterDirectoryId": other}),
    ):
        yield f"remove {label}", peer.call(
            "RemoveRaftVoter", 0, clusterId=fields.pop("clusterId", None), **fields
        )


@exchange()
def voters_of_a_static_quorum(peer):
    yield from voters(peer, "22" * 16)


@exchange()
def brokers_that_are_not_registered(peer):
    for broker in (2, 0, -1, 2**31 - 1):
        yield f"unregister {broker}", peer.call("UnregisterBroker", 0, brokerId=broker)


main()
