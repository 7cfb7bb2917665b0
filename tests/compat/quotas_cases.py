"""Client quotas: Describe and AlterClientQuotas with their errors, texts included; what a first burst above a limit
costs, to the millisecond where the reference's arithmetic says so."""

from configuration import settled
from exchange import exchange
from lib.case import check, main
from lib.records import batch
from lib.wire import versions

EXACT, DEFAULT, ANY = range(3)
NOW = 1_700_000_000_000


def entity(**parts):
    return [{"entityType": t.replace("_", "-"), "entityName": n} for t, n in parts.items()]


def setting(key, value):
    return {"key": key, "value": value or 0.0, "remove": value is None}


def alter(peer, parts, *ops, v=1, only=False):
    parts = parts if isinstance(parts, list) else entity(**parts)
    entries = [{"entity": parts, "ops": [setting(k, value) for k, value in ops]}]
    return peer.call("AlterClientQuotas", v, entries=entries, validateOnly=only)


def component(kind, how, match=None):
    return {"entityType": kind, "matchType": how, "match": match}


def describe(peer, *components, strict=False, v=1):
    return peer.call("DescribeClientQuotas", v, components=list(components), strict=strict)


def own(peer, answer):
    """Of all entities, those of this scenario."""
    if answer["entries"] is not None:
        answer["entries"] = [
            e
            for e in answer["entries"]
            if any((p["entityName"] or "").startswith(peer.prefix) for p in e["entity"])
        ]
    return answer


def change(peer, parts, *ops):
    """A change that is in force when this returns."""
    answer = alter(peer, parts, *ops)
    check(answer["entries"][0]["errorCode"] == 0, lambda: f"{peer.kind}: {answer}")
    settled(peer)


@exchange(seconds=90, texts=True)
def every_version(peer):
    user, client = peer.name("u"), peer.name("c")
    for v in versions("AlterClientQuotas"):
        yield f"v{v} set", alter(peer, {"user": user}, ("producer_byte_rate", 1000.0 + v), v=v)
        yield f"v{v} both", alter(
            peer,
            {"user": user, "client_id": client},
            ("consumer_byte_rate", 2000.0 + v),
            ("request_percentage", 12.5),
            ("controller_mutation_rate", 0.25),
            v=v,
        )
        yield f"v{v} default of a user", alter(
            peer, {"user": user, "client_id": None}, ("consumer_byte_rate", 7.0), v=v
        )
        yield f"v{v} client", alter(peer, {"client_id": client}, ("request_percentage", 200.0), v=v)
        yield f"v{v} the same again", alter(peer, {"client_id": client}, ("request_percentage", 200.0), v=v)
        yield f"v{v} nothing", alter(peer, {"client_id": client}, v=v)
        yield f"v{v} no entries", peer.call("AlterClientQuotas", v, entries=[], validateOnly=False)
        settled(peer)
        for w in versions("DescribeClientQuotas"):
            for strict in (False, True):
                label = f"v{v}/{w} strict {strict}"
                exact, default = component("user", EXACT, user), component("user", DEFAULT)
                any_client = component("client-id", ANY)
                yield f"{label} all", own(peer, describe(peer, strict=strict, v=w))
                yield f"{label} user", own(peer, describe(peer, exact, strict=strict, v=w))
                yield f"{label} default user", own(peer, describe(peer, default, strict=strict, v=w))
                yield f"{label} any user", own(peer, describe(peer, component("user", ANY), strict=strict, v=w))
                yield f"{label} user, any client", own(peer, describe(peer, exact, any_client, strict=strict, v=w))
                yield f"{label} user, default client", own(
                    peer, describe(peer, component("client-id", DEFAULT), exact, strict=strict, v=w)
                )
                yield f"{label} any client", own(peer, describe(peer, any_client, strict=strict, v=w))
                yield f"{label} unknown", own(
                    peer, describe(peer, component("user", EXACT, peer.name("x")), strict=strict, v=w)
                )
                yield f"{label} addresses", own(peer, describe(peer, component("ip", ANY), strict=strict, v=w))
        yield f"v{v} remove", alter(
            peer, {"user": user, "client_id": client}, ("request_percentage", None), ("no_such", None), v=v
        )
        settled(peer)
        yield f"v{v} removed", own(peer, describe(peer, component("user", EXACT, user)))
        for parts in ({"user": user}, {"user": user, "client_id": client}, {"user": user, "client_id": None}):
            yield f"v{v} remove {len(parts)}", alter(
                peer, parts, ("producer_byte_rate", None), ("consumer_byte_rate", None),
                ("controller_mutation_rate", None), v=v
            )
        yield f"v{v} remove client", alter(peer, {"client_id": client}, ("request_percentage", None), v=v)
        settled(peer)
        yield f"v{v} nothing left", own(peer, describe(peer))


@exchange(texts=True)
def errors_of_describe(peer):
    user = component("user", ANY)
    for v in versions("DescribeClientQuotas"):
        for label, components in {
            "empty type": [component("", ANY)],
            "unknown type": [component("group", ANY)],
            "twice": [user, component("user", DEFAULT)],
            "exact without a name": [component("user", EXACT)],
            "default with a name": [component("user", DEFAULT, "x")],
            "any with a name": [component("client-id", ANY, "x")],
            "match type 3": [component("user", 3)],
            "match type -1": [component("user", -1, "x")],
            "ip and user": [component("ip", ANY), user],
            "ip and client": [component("client-id", DEFAULT), component("ip", EXACT, "1.2.3.4")],
            "the first error counts": [component("user", EXACT), component("", ANY)],
            "twice before unsupported": [user, user, component("x", ANY)],
        }.items():
            yield f"v{v} {label}", describe(peer, *components, v=v)


@exchange(texts=True)
def errors_of_alter(peer):
    user = peer.name("u")
    rate = ("producer_byte_rate", 10.0)
    for v in versions("AlterClientQuotas"):
        for label, parts, ops in (
            ("no entity", [], [rate]),
            ("unknown type", {"group": "x"}, [rate]),
            ("empty type", [{"entityType": "", "entityName": "x"}], [rate]),
            ("empty user", {"user": ""}, [rate]),
            ("empty client", {"client_id": ""}, [rate]),
            ("empty address", {"ip": ""}, [("connection_creation_rate", 1.0)]),
            ("user and ip", {"user": user, "ip": "1.2.3.4"}, [rate]),
            ("client and ip", {"ip": "1.2.3.4", "client_id": "x"}, [rate]),
            ("no address", {"ip": "no such host"}, [("connection_creation_rate", 1.0)]),
            ("unknown key", {"user": user}, [("no_such", 1.0)]),
            ("key of addresses", {"user": user}, [("connection_creation_rate", 1.0)]),
            ("key of users", {"ip": "1.2.3.4"}, [rate]),
            ("zero", {"user": user}, [("producer_byte_rate", 0.0)]),
            ("negative", {"user": user}, [("request_percentage", -1.0)]),
            ("fraction", {"user": user}, [("producer_byte_rate", 1.5)]),
            ("nearly whole", {"user": user}, [("producer_byte_rate", 5.0000001)]),
            ("fraction of a percentage", {"user": user}, [("request_percentage", 1.5)]),
            ("fraction of a rate", {"user": user}, [("controller_mutation_rate", 0.1)]),
            ("large", {"user": user}, [("producer_byte_rate", 1e19)]),
            ("largest", {"user": user}, [("producer_byte_rate", 9.2e18)]),
            ("many connections", {"ip": "1.2.3.4"}, [("connection_creation_rate", 3e9)]),
            ("half a connection", {"ip": "1.2.3.4"}, [("connection_creation_rate", 0.5)]),
            ("some connections", {"ip": "1.2.3.4"}, [("connection_creation_rate", 5.0)]),
            ("all addresses", {"ip": None}, [("connection_creation_rate", 5.0)]),
            ("IPv6", {"ip": "::1"}, [("connection_creation_rate", 5.0)]),
            ("a name", {"ip": "localhost"}, [("connection_creation_rate", 5.0)]),
            ("key twice", {"user": user}, [rate, ("producer_byte_rate", 20.0)]),
            ("key twice of both", {"user": user, "client_id": "b"}, [rate, rate]),
            ("two errors", {"user": user}, [("producer_byte_rate", 0.0), ("no_such", 1.0)]),
            ("two more", {"user": user}, [("no_such", 1.0), ("request_percentage", 0.0), ("a", 1.0)]),
            ("two empty", {"user": "", "client_id": ""}, [rate]),
            ("part twice", [*entity(user="a"), *entity(user=user)], [rate]),
            ("removal of nothing", {"user": user}, [("producer_byte_rate", None), ("what", None)]),
            ("all defaults", {"user": None, "client_id": None}, [rate]),
        ):
            yield f"v{v} {label}", alter(peer, parts, *ops, v=v, only=True)
        entry = {"entity": entity(user=user, client_id="x"), "ops": [setting(*rate)]}
        again = {"entity": entity(client_id="x", user=user), "ops": [setting("consumer_byte_rate", 5.0)]}
        other = {"entity": entity(user=user), "ops": [setting("no_such", 5.0)]}
        yield f"v{v} entity twice", peer.call(
            "AlterClientQuotas", v, entries=[entry, other, again], validateOnly=True
        )
        yield f"v{v} one of two", peer.call("AlterClientQuotas", v, entries=[entry, other], validateOnly=False)
        settled(peer)
        yield f"v{v} is set", own(peer, describe(peer, component("user", EXACT, user), v=v))
        yield f"v{v} twice, not only validated", peer.call(
            "AlterClientQuotas",
            v,
            entries=[{**entry, "ops": [setting("request_percentage", 9.0)]}, again],
            validateOnly=False,
        )
        settled(peer)
        yield f"v{v} the first of them is set", own(peer, describe(peer, component("user", EXACT, user), v=v))
        yield f"v{v} removed", alter(
            peer,
            {"user": user, "client_id": "x"},
            ("producer_byte_rate", None),
            ("consumer_byte_rate", None),
            ("request_percentage", None),
        )
        settled(peer)
        yield f"v{v} gone", own(peer, describe(peer, component("user", EXACT, user), v=v))


def produced(connection, topic, size, v, acks=1):
    records = batch([b"x" * size], now=NOW)
    topics = [{"name": topic, "partitionData": [{"index": 0, "records": records}]}]
    connection.send("Produce", v, acks=acks, timeoutMs=10000, topicData=topics)


@exchange(seconds=60)
def bursts_of_a_producer(peer):
    """The first burst of a client fills an empty window: rate = bytes / 10 s, so what it costs is a matter of
    arithmetic."""
    topic = peer.create(peer.name("t"))
    for v in (3, 8, 9, 12):
        client = peer.name(f"p{v}")
        change(peer, {"client_id": client}, ("producer_byte_rate", 1000.0))
        c = peer.connect(client_id=client)
        produced(c, topic, 12000, v)
        answer = c.receive()
        answer["silence"] = answer["throttleTimeMs"]
        yield f"v{v} above", answer
        within = peer.name(f"w{v}")
        change(peer, {"client_id": within}, ("producer_byte_rate", 1000.0))
        c = peer.connect(client_id=within)
        produced(c, topic, 5000, v)
        answer = c.receive()
        answer["silence"] = answer["throttleTimeMs"]
        yield f"v{v} within", answer


@exchange(seconds=60)
def precedence(peer):
    """Which of several limits counts shows in the silence after the same burst."""
    topic = peer.create(peer.name("t"))
    one, two = peer.name("one"), peer.name("two")

    def burst(client):
        c = peer.connect(client_id=client)
        produced(c, topic, 30000, 9)
        return {"silence": c.receive()["throttleTimeMs"]}

    change(peer, {"client_id": one}, ("producer_byte_rate", 2000.0))
    yield "by client", burst(one)
    yield "another client", burst(two)
    change(peer, {"user": "ANONYMOUS", "client_id": two}, ("producer_byte_rate", 1500.0))
    yield "by both", burst(two)
    third = peer.name("three")
    change(peer, {"user": "ANONYMOUS", "client_id": third}, ("producer_byte_rate", 1250.0))
    change(peer, {"client_id": third}, ("producer_byte_rate", 10.0))
    yield "both before client", burst(third)
    for parts in ({"client_id": one}, {"user": "ANONYMOUS", "client_id": two}, {"client_id": third},
                  {"user": "ANONYMOUS", "client_id": third}):
        change(peer, parts, ("producer_byte_rate", None))
    yield "none", burst(peer.name("four"))


@exchange(seconds=60)
def bursts_of_a_consumer(peer):
    topic = peer.create(peer.name("t"))
    for _ in range(3):
        peer.produce(topic, batch([b"x" * 8000], now=NOW))
    for v in (4, 11, 12):
        client = peer.name(f"c{v}")
        change(peer, {"client_id": client}, ("consumer_byte_rate", 2000.0))
        c = peer.connect(client_id=client)
        fetch = {
            "replicaId": -1, "maxWaitMs": 100, "minBytes": 1, "maxBytes": 1 << 20, "sessionId": 0,
            "sessionEpoch": -1,
            "topics": [{"topic": topic, "partitions": [
                {"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 8000, "currentLeaderEpoch": -1}]}],
        }
        for turn in range(3):
            answer = c.call("Fetch", v, **fetch)
            answer["silent"] = answer["throttleTimeMs"] > 0
            yield f"v{v} turn {turn}", answer


@exchange(seconds=60, texts=True)
def changes_of_topics(peer):
    """11 windows of a rate of 1: eleven partitions at once, then nothing until the bucket is no longer below zero."""
    for v, refused in ((5, False), (6, True), (7, True)):
        client = peer.name(f"m{v}")
        change(peer, {"client_id": client}, ("controller_mutation_rate", 1.0))

        def create(name, n, client=client, v=v):
            c = peer.connect(client_id=client)
            topics = [{"name": peer.name(f"{name}-{v}"), "numPartitions": n, "replicationFactor": 1}]
            answer = c.call("CreateTopics", v, topics=topics, timeoutMs=10000)
            peer.learn(answer)
            answer["silent"] = answer["throttleTimeMs"] > 0
            return answer

        yield f"v{v} much at once", create("first", 60)
        yield f"v{v} and more", create("second", 1)
        for api, w in (("CreatePartitions", 3), ("DeleteTopics", 5)):
            c = peer.connect(client_id=client)
            name = peer.name(f"first-{v}")
            fields = (
                {"topics": [{"name": name, "count": 61}]} if api == "CreatePartitions" else {"topicNames": [name]}
            )
            answer = c.call(api, w, timeoutMs=10000, **fields)
            answer["silent"] = answer["throttleTimeMs"] > 0
            yield f"v{v} {api} is refused", answer
        check(refused or v < 6, "the table above")


if __name__ == "__main__":
    main()
