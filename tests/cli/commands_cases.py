"""Our own commands against a broker: ottla, or Apache Kafka with `tests/run --broker kafka cli`. And what needs no broker: wrong usage,
completion."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

from lib import wire
from lib.case import bootstrap, case, check, equal, main, run, unique, wait_for
from lib.records import batch

VERBS = ["server", "topic", "produce", "consume", "group", "txn", "config", "quota", "user", "client-metrics", "feature", "reassign", "cluster",
         "storage", "log", "bench", "completion"]


def ottla(*args, **options):
    return run([os.environ["OTTLA"], *args], env={"OTTLA_BOOTSTRAP": os.environ.get("BOOTSTRAP", "127.0.0.1:1")}, **options)


def as_json(*args, **options):
    return json.loads(ottla(*args, "--json", **options))


def refused(*args, status=1, stdin=b""):
    """What a command that must fail says: one line that begins with `ottla: `."""
    got = subprocess.run([os.environ["OTTLA"], *args], input=stdin, capture_output=True, timeout=60, check=False,
                         env={**os.environ, "OTTLA_BOOTSTRAP": os.environ.get("BOOTSTRAP", "127.0.0.1:1")})
    said = got.stderr.decode()
    equal(got.returncode, status, f"status of {args}, which said {said!r}")
    equal(len(said.splitlines()), 1, f"lines of {said!r}")
    check(said.startswith("ottla: "), f"{args} said {said!r}")
    return said


def records(topic, *args):
    return [json.loads(line) for line in ottla("consume", topic, "-e", "-f", "json", *args).splitlines()]


def produce(topic, lines, *args):
    return ottla("produce", topic, *args, stdin="".join(f"{line}\n" for line in lines).encode())


@case()
def topics():
    """create, list, describe, alter, delete."""
    name, other = unique("cli-topic"), unique("cli-topic-b")
    created = as_json("topic", "create", name, "-p", "3", "-c", "retention.ms=86400000")
    equal([(t["name"], t["created"], t["partitions"]) for t in created], [(name, True, 3)], "created")
    check("exists" in refused("topic", "create", name), "a second create must say that it exists")
    equal(as_json("topic", "create", name, "--if-not-exists")[0]["created"], False, "created again")
    as_json("topic", "create", other, "-p", "2", "--validate-only")
    listed = as_json("topic", "list")
    check(name in listed and other not in listed, f"listed {listed}")
    check(name in ottla("topic", "list").splitlines(), "list as text")
    produce(name, range(10), "-p", "1")
    about = as_json("topic", "describe", name)[0]
    equal(about["configs"], {"retention.ms": "86400000"}, "configs")
    equal([(p["start"], p["end"]) for p in about["partitions"]], [(0, 0), (0, 10), (0, 0)], "offsets")
    check(about["partitions"][1]["size"] > 0 and about["partitions"][1]["isr"], f"size and isr of {about}")
    ottla("topic", "alter", name, "-p", "5", "-c", "segment.ms=1000000", "--unset", "retention.ms")

    def altered():
        about = as_json("topic", "describe", name, "--no-offsets")[0]
        return (len(about["partitions"]), about["configs"]) == (5, {"segment.ms": "1000000"})

    wait_for(altered, "five partitions and the new configuration")  # a broker learns of it after the controller
    refused("topic", "alter", name, "-p", "2")
    refused("topic", "create", "bad name")
    refused("topic", "create", unique("cli-topic"), "-c", "no.such=1")
    check("no such topic" in refused("topic", "describe", other), "describe of what is not there")
    ottla("topic", "describe", name)
    ottla("topic", "delete", name)
    refused("topic", "delete", name)
    check(name not in as_json("topic", "list"), "listed after its end")
    equal(as_json("topic", "delete", name, "--if-exists")[0]["deleted"], False, "deleted again")


@case()
def assignments():
    """Replicas by hand, on the one broker there is."""
    name = unique("cli-assign")
    broker = as_json("topic", "create", name)[0] and as_json("topic", "describe", name)[0]["partitions"][0]["leader"]
    by_hand = unique("cli-assign")
    equal(as_json("topic", "create", by_hand, "--assignment", f"{broker},{broker}")[0]["partitions"], 2, "partitions")
    ottla("topic", "alter", by_hand, "-p", "3", "--assignment", str(broker))
    refused("topic", "create", unique("cli-assign"), "--assignment", "1:x", status=2)
    refused("topic", "create", unique("cli-assign"), "--assignment", "999999")


@case()
def produce_consume():
    """Keys, headers, formats, codecs, positions."""
    topic = unique("cli-records")
    ottla("topic", "create", topic, "-p", "2")
    produce(topic, ["a:1", "b:2", "none", "c:"], "-k", ":", "-H", "x=1", "-p", "0")
    got = records(topic)
    equal([(r["key"], r["value"], r["headers"]) for r in got],
          [("a", "1", {"x": "1"}), ("b", "2", {"x": "1"}), (None, "none", {"x": "1"}), ("c", "", {"x": "1"})], "records")
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        produce(topic, [f"{codec}-{i}" for i in range(100)], "-z", codec, "-p", "1")
    equal(ottla("consume", topic, "-p", "1", "-e", "--from", "400").splitlines(), [f"zstd-{i}" for i in range(100)], "from 400")
    equal(ottla("consume", topic, "-p", "1", "-e", "--from", "-2").splitlines(), ["zstd-98", "zstd-99"], "the last two")
    equal(ottla("consume", topic, "-p", "0", "-n", "2", "--from", "start", "-f", "key-value", "-d", "=").splitlines(),
          ["a=1", "b=2"], "the first two")
    time.sleep(0.02)
    now = int(time.time() * 1000)
    time.sleep(0.02)
    produce(topic, ["late"], "-0", "-p", "0", "-i")
    equal([r["value"] for r in records(topic, "--from-time", str(now))], ["late"], "by time")
    check("no topic" in refused("consume", unique("cli-nothing"), "-e", "-X", "allow.auto.create.topics=false"), "unknown topic")
    refused("consume", topic, "-p", "7", "-e")
    refused("produce", topic, "/no/such/file")


@case()
def json_round_trip():
    """What consume prints, produce sends; bytes that are no text, nulls and timestamps included."""
    source, target = unique("cli-json"), unique("cli-json")
    ottla("topic", "create", source, target, "-p", "1")
    lines = [{"key": "k", "value": {"a": [1, None]}, "headers": {"h": "v", "n": None}, "timestamp": 1700000000000},
             {"key": None, "valueBase64": "AAEC/w==", "headers": [["a", "1"], ["a", {"base64": "/w=="}]]}, {"key": "gone", "value": None}]
    produce(source, [json.dumps(line) for line in lines], "-f", "json")
    first = ottla("consume", source, "-e", "-f", "json")
    equal(json.loads(first.splitlines()[0])["value"], '{"a":[1,null]}', "a value that was an object")
    ottla("produce", target, "-f", "json", stdin=first.encode())
    equal([{**r, "topic": source} for r in records(target)], [json.loads(line) for line in first.splitlines()], "the copy")
    failed = subprocess.run([os.environ["OTTLA"], "produce", target, "-f", "json", "-b", bootstrap()], input=b"x\n{}\n",
                            capture_output=True, check=False, timeout=60)
    equal((failed.returncode, len(records(target))), (1, 4), "a wrong line fails, the others are sent")
    check(b"record 1" in failed.stderr, failed.stderr)


@case()
def streams_groups():
    """A streams group is described with its tasks and who reads what."""
    topic, group = unique("cli-tasks"), unique("cli-tasks-g")
    ottla("topic", "create", topic, "-p", "2")
    with wire.Connection(bootstrap()) as broker:
        broker.call("FindCoordinator", 1, key=group)
        shape = {"epoch": 0, "subtopologies": [{"subtopologyId": "0", "sourceTopics": [topic]}]}
        beat = {"groupId": group, "memberId": "m", "memberEpoch": 0, "rebalanceTimeoutMs": 1000, "topology": shape}
        more = {"activeTasks": [], "standbyTasks": [], "warmupTasks": [], "processId": "p", "endpointInformationEpoch": 0}
        wait_for(lambda: broker.call("StreamsGroupHeartbeat", 0, **beat, **more)["errorCode"] == 0, "a member")
        again = {**beat, "memberEpoch": 1, "topology": None, "rebalanceTimeoutMs": -1}
        ready = lambda: broker.call("StreamsGroupHeartbeat", 0, **again, **more)["memberEpoch"] == 2  # noqa: E731
        wait_for(ready, "its tasks")
        seen = as_json("group", "describe", group)[0]
        equal((seen["type"], seen["state"], len(seen["members"])), ("streams", "Stable", 1), "the group")
        equal([(t["subtopology"], t["partition"], t["role"]) for t in seen["tasks"]], [("0", 0, "active"), ("0", 1, "active")], "tasks")
        equal([(p["topic"], p["member"]) for p in seen["partitions"]], [(topic, "m")] * 2, "who reads what")
        check("0_1   active" in ottla("group", "describe", group), "the table")
        broker.call("StreamsGroupHeartbeat", 0, **{**again, "memberEpoch": -1}, endpointInformationEpoch=0)
    ottla("group", "delete", group)


@case()
def groups():
    """list, describe, reset, delete."""
    topic, group = unique("cli-group"), unique("cli-group-g")
    ottla("topic", "create", topic, "-p", "2")
    produce(topic, range(30), "-p", "0")
    produce(topic, range(10), "-p", "1")
    equal(len(ottla("consume", topic, "-e", "-g", group).splitlines()), 40, "read by the group")
    equal(ottla("consume", topic, "-e", "-g", group), "", "read again")
    check(group in [g["group"] for g in as_json("group", "list")], "list")

    def committed():
        return {p["partition"]: (p["committed"], p["lag"]) for p in as_json("group", "describe", group)[0]["partitions"]}

    equal(committed(), {0: (30, 0), 1: (10, 0)}, "offsets")
    plan = as_json("group", "reset", group, "--topic", topic, "--to", "earliest")
    equal([p["new"] for p in plan["partitions"]], [0, 0], "the plan")
    equal(committed(), {0: (30, 0), 1: (10, 0)}, "a plan changes nothing")
    ottla("group", "reset", group, "--topic", f"{topic}:0", "--shift", "-5", "-x")
    equal(committed(), {0: (25, 5), 1: (10, 0)}, "after the shift")
    ottla("group", "reset", group, "--all-topics", "--to", "20", "-x")
    equal(committed(), {0: (20, 10), 1: (10, 0)}, "an offset, no further than the end")
    ottla("group", "reset", group, "--all-topics", "--to-time", "1h", "-x")
    equal(committed(), {0: (0, 30), 1: (0, 10)}, "by time")
    ottla("group", "reset", group, "--all-topics", "--to", "latest", "-x")
    equal(committed(), {0: (30, 0), 1: (10, 0)}, "the end")
    refused("group", "reset", group, "--topic", f"{topic}:7", "--to", "earliest")
    refused("group", "reset", group, "--all-topics", status=2)
    fresh = unique("cli-group-new")
    ottla("group", "reset", fresh, "--topic", topic, "--to", "5", "--execute")
    equal(as_json("group", "describe", fresh)[0]["partitions"][0]["committed"], 5, "a new group")
    ottla("group", "delete", group)
    check("no group" in refused("group", "describe", group), "describe of a deleted group")
    refused("group", "delete", group)


@case()
def group_with_member():
    """A group that somebody is in: its members are shown, its offsets cannot be moved."""
    topic, group = unique("cli-member"), unique("cli-member-g")
    ottla("topic", "create", topic, "-p", "2")
    member = subprocess.Popen([os.environ["OTTLA"], "consume", topic, "-g", group, "-b", bootstrap()], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while True:
            got = subprocess.run([os.environ["OTTLA"], "group", "describe", group, "--json", "-b", bootstrap()], check=False,
                                 capture_output=True, timeout=60)
            about = json.loads(got.stdout)[0] if got.returncode == 0 else {}
            if about.get("state") == "Stable":
                break
            check(time.monotonic() < end, f"the group did not become stable: {about}")
            time.sleep(0.1)
        equal([m["partitions"] for m in about["members"]], [2], "members and their partitions")
        check("member" in refused("group", "reset", group, "--topic", topic, "--to", "latest", "-x"), "reset")
        refused("group", "delete", group)
    finally:
        member.terminate()
        equal(member.wait(30), 0, "status of a consumer that was ended")
    ottla("group", "delete", group)


@case()
def quotas():
    """describe, set, delete, and what they refuse."""
    user, client = unique("cli-user"), unique("cli-client")
    ottla("quota", "set", "--user", user, "producer_byte_rate=1m", "request_percentage=12.5")
    ottla("quota", "set", "--user", user, "--client-id", client, "consumer_byte_rate=1000")
    ottla("quota", "set", "--default-client-id", "--user", user, "consumer_byte_rate=500")

    def described(*args):
        return sorted(((sorted(e["entity"].items(), key=str), e["quotas"]) for e in as_json("quota", "describe", *args)), key=str)

    own = [("user", user)]
    wait_for(lambda: len(described("--user", user)) == 3, "three entities")
    equal(described("--user", user, "--only"), [(own, {"producer_byte_rate": 1048576, "request_percentage": 12.5})],
          "the user's alone")
    equal(described("--user", user, "--client-id", client), [([("client-id", client), *own], {"consumer_byte_rate": 1000})],
          "of both")
    equal(described("--user", user, "--default-client-id"), [([("client-id", None), *own], {"consumer_byte_rate": 500})],
          "default of the user")
    check(f"user {user}, client-id (default)" in ottla("quota", "describe", "--users", "--client-ids"), "as text")
    ottla("quota", "set", "--user", user, "--validate-only", "producer_byte_rate=5")
    ottla("quota", "delete", "--user", user, "request_percentage")
    wait_for(lambda: described("--user", user, "--only") == [(own, {"producer_byte_rate": 1048576})], "one is left")
    for extra in ([], ["--client-id", client], ["--default-client-id"]):
        ottla("quota", "delete", "--user", user, *extra)
    wait_for(lambda: not described("--user", user), "none is left")
    check("no quotas" in refused("quota", "delete", "--user", user), "nothing to delete")
    check("greater than 0" in refused("quota", "set", "--user", user, "producer_byte_rate=0"), "zero")
    check("number" in refused("quota", "set", "--user", user, "producer_byte_rate=x", status=2), "no number")
    check("whose" in refused("quota", "set", "producer_byte_rate=1", status=2), "nobody's")
    check("not both" in refused("quota", "set", "--ip", "::1", "--default-ip", "x=1", status=2), "both")


@case()
def transactions():
    """list, describe, producers, find-hanging, abort."""
    topic, name = unique("cli-txn"), unique("cli-txn-id")
    ottla("topic", "create", topic, "-p", "2")
    peer = wire.Connection(bootstrap())

    def settled(*args, **fields):
        answer = peer.call(*args, **fields)
        return None if answer.get("errorCode") in (14, 15, 16, 51) else answer

    wait_for(lambda: settled("FindCoordinator", 3, keyType=1, key=name), "a coordinator")
    made = wait_for(lambda: settled("InitProducerId", 4, transactionalId=name, transactionTimeoutMs=600000), "a producer")
    me = {"producerId": made["producerId"], "producerEpoch": made["producerEpoch"]}
    equal(as_json("txn", "describe", name)[0]["state"], "Empty", "state")
    data = [{"index": 1, "records": batch([b"x"], attributes=0x10, baseSequence=0, **me)}]
    answer = peer.call("Produce", 12, acks=-1, timeoutMs=5000, transactionalId=name, topicData=[{"name": topic, "partitionData": data}])
    equal(answer["responses"][0]["partitionResponses"][0]["errorCode"], 0, "produce")
    about = as_json("txn", "describe", name)[0]
    equal((about["state"], about["topics"], about["timeout_ms"]), ("Ongoing", {topic: [1]}, 600000), "described")
    check(f"{topic}: 1" in ottla("txn", "describe", name), "described as text")
    found = [t for t in as_json("txn", "list", "--state", "Ongoing", "--pattern", name + ".*") if t["id"] == name]
    equal([(t["producer"], t["state"]) for t in found], [(me["producerId"], "Ongoing")], "listed")
    equal(as_json("txn", "list", "--state", "Empty", "--producer", str(me["producerId"])), [], "filtered")
    equal(as_json("txn", "list", "--longer-than", "1000000", "--producer", str(me["producerId"])), [], "not so long")
    check(name in ottla("txn", "list"), "listed as text")
    check("no such state" in refused("txn", "list", "--state", "Nonsense", status=2), "an unknown state")
    check("TRANSACTIONAL_ID_NOT_FOUND" in refused("txn", "describe", unique("nobody")), "an unknown id")
    producers = as_json("txn", "producers", topic)
    equal([(p["partition"], p["producer"], p["start_offset"]) for p in producers], [(1, me["producerId"], 0)], "producers")
    equal(as_json("txn", "producers", topic, "--partition", "0"), [], "of another partition")
    equal(as_json("txn", "find-hanging", "--topic", topic, "--older-than", "0"), [], "its coordinator knows it")
    check("no transaction" in refused("txn", "abort", topic, "--partition", "1", "--start-offset", "7"), "another offset")
    check("--partition" in refused("txn", "abort", topic, status=2), "which one")
    ottla("txn", "abort", topic, "--partition", "1", "--start-offset", "0")
    equal([p["start_offset"] for p in as_json("txn", "producers", topic)], [-1], "aborted")
    peer.close()


@case()
def configs():
    """describe, set, unset, list."""
    topic = unique("cli-config")
    ottla("topic", "create", topic)
    ottla("config", "set", "topic", topic, "retention.ms=5000000", "cleanup.policy+=compact")

    def own():
        return {k["name"]: k["value"] for k in as_json("config", "describe", "topic", topic) if k["source"] == "topic"}

    wait_for(lambda: own().get("retention.ms") == "5000000" and "compact" in own()["cleanup.policy"], "set and appended")
    ottla("config", "unset", "topic", topic, "retention.ms")
    wait_for(lambda: "retention.ms" not in own(), "unset")
    everything = as_json("config", "describe", "topic", topic, "--docs")
    check(len(everything) > 20 and all(k["documentation"] for k in everything), "docs")
    broker = str(as_json("topic", "describe", topic)[0]["partitions"][0]["leader"])
    names = {k["name"] for k in as_json("config", "describe", "broker", broker, "--all")}
    check({"num.partitions", "log.retention.hours"} <= names, f"{len(names)} configurations of the broker")
    ottla("config", "describe", "topic", topic)
    check(topic in ottla("config", "list", "topic"), "list")
    refused("config", "set", "topic", topic, "retention.ms=never")
    refused("config", "set", "topic", topic, "retention.ms=1", "--validate-only", "--nope", status=2)
    refused("config", "describe", "planet", "x", status=2)


@case(seconds=120)
def bench():
    for what in ["produce", "consume", "e2e"]:
        got = as_json("bench", what, "-n", "2000", "-s", "200", *(["-r", "2000"] if what == "e2e" else []))
        equal((got["records"], got["failed"]), (2000, 0), what)
        check(got["recordsPerSecond"] > 0, got)
        check(what == "consume" or got["latencyMs"]["p50"] > 0, got)
    check(not [t for t in as_json("topic", "list") if t.startswith("ottla-bench-")], "topics left behind")
    check("records in" in ottla("bench", "produce", "-n", "1000"), "text")


@case(needs=())
def wrong_usage():
    """Status 2, one line, and what to do."""
    for args in [("nope",), ("topic", "nope"), ("topic", "create"), ("topic", "list", "x"), ("topic", "list", "--nope"),
                 ("topic", "create", "a", "-p", "x"), ("topic", "create", "a", "-p", "0"), ("consume", "a", "-f", "xml"),
                 ("topic", "list", "-b", "nowhere"), ("produce", "a", "-k", "\\q"), ("consume", "a", "--from", "soon"),
                 ("group", "reset", "g", "--to", "earliest"), ("produce", "a", "-H", "x"), ("topic", "alter", "a"),
                 ("bench", "e2e", "-s", "1"), ("log", "dump")]:
        refused(*args, status=2)
    said = refused("topic", "list", "-b", "127.0.0.1:1")
    check("127.0.0.1:1" in said and "broker" in said, said)
    for args in [("produce", "a"), ("consume", "a"), ("group", "list"), ("bench", "produce")]:
        refused(*args, "-b", "127.0.0.1:1")
    refused("log", "dump", "/no/such/file.log")
    refused("log", "verify", "/no/such/directory")


@case(needs=())
def helps():
    """Every command explains itself with examples."""
    top = ottla("--help")
    for verb in VERBS:
        check(f"  {verb} " in top, f"{verb} is not in --help")
        said = ottla(verb, "--help")
        commands = [line.split()[0] for line in said.splitlines() if line.startswith("  ") and "COMMAND" in said]
        for text in [ottla(verb, c, "--help") for c in commands] or [said]:
            check("Examples:" in text and "ottla " + verb in text, text)


@case(needs=())
def completion():
    """The scripts parse, and bash's finds verbs, commands, options and values."""
    with tempfile.TemporaryDirectory() as folder:
        for shell in ["bash", "zsh"]:
            with open(f"{folder}/{shell}", "w", encoding="utf-8") as f:
                f.write(ottla("completion", shell))
        if shutil.which("zsh"):
            run(["zsh", "-n", f"{folder}/zsh"])
        script = f"source {folder}/bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _ottla; echo \"${{COMPREPLY[*]}}\""
        for words, wanted in [(["ottla", ""], set(VERBS)), (["ottla", "top"], {"topic"}), (["ottla", "topic", "de"], {"describe", "delete"}),
                              (["ottla", "produce", "--comp"], {"--compression"}), (["ottla", "produce", "-z", "l"], {"lz4"}),
                              (["ottla", "storage", "f"], {"format"}), (["ottla", "server", "--o"], {"--override"})]:
            got = set(run(["bash", "-c", script, "bash", *words]).split())
            check(wanted <= got and (not words[-1] or wanted == got), f"{words} completes to {got}")


@case()
def users():
    """SCRAM users: added, another password, listed, deleted; nobody sees a password."""
    name = unique("cli-user")
    refused("user", "list", "nobody-" + name)
    ottla("user", "add", name, stdin=b"secret\n")
    ottla("user", "add", name, "-m", "SCRAM-SHA-512", "--iterations", "8192", stdin=b"secret\n")

    def listed():
        return [u for u in as_json("user", "list") if u["user"] == name]

    wait_for(lambda: len(listed()) == 2, "two credentials")
    equal(sorted((u["mechanism"], u["iterations"]) for u in listed()), [("SCRAM-SHA-256", 4096), ("SCRAM-SHA-512", 8192)], "listed")
    check(name in ottla("user", "list", name), "list as text")
    refused("user", "add", name, status=2)  # no password
    refused("user", "add", name, "--iterations", "1", status=2, stdin=b"x\n")
    refused("user", "add", name, "-m", "MD5", status=2, stdin=b"x\n")
    ottla("user", "delete", name)
    equal(as_json("user", "delete", name, "-m", "SCRAM-SHA-512")["changed"], True, "deleted")
    wait_for(lambda: not listed(), "nobody is left")
    refused("user", "delete", name)


@case()
def client_metrics():
    name = unique("cli-metrics")
    ottla("client-metrics", "set", name, "-m", "org.apache.kafka.,x", "-i", "30000", "--match", "client_id=a.*")
    wait_for(lambda: name in as_json("client-metrics", "list"), "the subscription")
    about = as_json("client-metrics", "describe", name)
    equal(about, [{"subscription": name, "interval.ms": "30000", "match": "client_id=a.*", "metrics": "org.apache.kafka.,x"}], "described")
    check(name in ottla("client-metrics", "describe") and name in ottla("client-metrics", "list"), "as text")
    refused("client-metrics", "set", name, "-i", "1")
    refused("client-metrics", "set", name, status=2)
    equal(as_json("client-metrics", "delete", name)["deleted"], True, "deleted")
    wait_for(lambda: name not in as_json("client-metrics", "list"), "no subscription")


@case()
def features():
    levels = {f["feature"]: f for f in as_json("feature", "describe")}
    equal(levels["metadata.version"]["version"], "4.3-IV0", "metadata.version")
    check("transaction.version" in ottla("feature", "describe"), "as text")
    equal(as_json("feature", "upgrade", "--dry-run", "--release-version", "4.3"), {
        "changed": False, "metadata.version": 30, "eligible.leader.replicas.version": 1, "group.version": 1, "share.version": 1,
        "streams.version": 1, "transaction.version": 2}, "a dry run")
    ottla("feature", "upgrade", f"group.version={levels['group.version']['finalized']}", "metadata.version=4.3")
    for wrong in (["upgrade", "group.version=9"], ["upgrade", "nothing=1"], ["downgrade", "metadata.version=7"],
                  ["downgrade", "--unsafe", "metadata.version=7"], ["upgrade", "--dry-run", "transaction.version=0"]):
        refused("feature", *wrong)
    for wrong in (["upgrade"], ["upgrade", "group.version"], ["upgrade", "metadata.version=9.9"], ["upgrade", "-r", "4.3", "a=1"]):
        refused("feature", *wrong, status=2)


@case(needs=())
def features_of_releases():
    """No broker is asked."""
    equal(as_json("feature", "version-mapping", "-r", "4.0"), {
        "metadata.version": 25, "eligible.leader.replicas.version": 0, "group.version": 1, "kraft.version": 1, "share.version": 0,
        "streams.version": 0, "transaction.version": 2}, "of 4.0")
    equal(as_json("feature", "version-mapping")["metadata.version"], 30, "of the newest")
    check("metadata.version=23" in ottla("feature", "dependencies", "eligible.leader.replicas.version=1"), "what is needed")
    check("nothing" in ottla("feature", "dependencies", "group.version=1", "metadata.version=30"), "nothing")
    refused("feature", "dependencies", "group.version=7")
    refused("feature", "version-mapping", "-r", "1.0", status=2)


@case()
def reassignments():
    name = unique("cli-reassign")
    ottla("topic", "create", name, "-p", "3")
    plan = as_json("reassign", "propose", "--brokers", "1", name)
    equal(plan, [f"{name}:{p}=1" for p in range(3)], "a plan")
    equal(ottla("reassign", "propose", "--brokers", "1", name).split(), plan, "as text")
    equal(as_json("reassign", "execute", *plan)["begun"], 3, "begun")
    equal(set(as_json("reassign", "verify", *plan).values()), {"done"}, "verified")
    check("not done" in ottla("reassign", "verify", f"{name}:0=7", status=1), "another aim")
    equal([r for r in as_json("reassign", "list") if r["topic"] == name], [], "in progress")
    refused("reassign", "cancel", f"{name}:0")
    refused("reassign", "execute", f"{name}:0=99")
    refused("reassign", "execute", f"{name}:9=1")
    for wrong in (name, f"{name}:x=1", f"{name}:0=", ":0=1", f"{name}:0=a"):
        refused("reassign", "execute", wrong, status=2)
    refused("reassign", "propose", name, status=2)


@case()
def cluster():
    about = as_json("cluster", "describe")
    equal([(b["id"], b["fenced"]) for b in about["brokers"]], [(1, False)], "brokers")
    check(about["cluster"] in ottla("cluster", "describe"), "as text")
    refused("cluster", "unregister", "99")
    refused("cluster", "unregister", "x", status=2)


@case(needs=("reference",), seconds=120)
def dump_and_verify():
    """Logs of the reference: nothing wrong with them, and its internal topics can be read."""
    folder = os.environ["REFERENCE_DATA"]
    topic, env = unique("cli-dump"), {"OTTLA_BOOTSTRAP": os.environ["REFERENCE"]}
    ottla_at = [os.environ["OTTLA"]]
    run([*ottla_at, "topic", "create", topic], env=env)
    run([*ottla_at, "produce", topic, "-z", "zstd"], stdin=b"one\n" + b"two\n" * 50, env=env)
    run([*ottla_at, "consume", topic, "-e", "-g", topic], env=env)
    # not all of it: other tests put batches there whose offsets are odd on purpose
    said = ottla("log", "verify", f"{folder}/{topic}-0", f"{folder}/__cluster_metadata-0", *glob.glob(f"{folder}/__consumer_offsets-*"))
    check(": 0 problems" in said, said)
    dumped = ottla("log", "dump", "--print-data", *glob.glob(f"{folder}/{topic}-0/*.log"))
    check("value: two" in dumped and "compresscodec: zstd" in dumped, dumped)
    metadata = ottla("log", "dump", "--json", *glob.glob(f"{folder}/__cluster_metadata-0/*.log"))
    check(f'"type":"TOPIC_RECORD","version":0,"data":{{"name":"{topic}"' in metadata, "the topic's record")
    offsets = "".join(ottla("log", "dump", f) for f in glob.glob(f"{folder}/__consumer_offsets-*/*.log") if os.path.getsize(f))
    check(f'"group":"{topic}"' in offsets, "the group's offsets")


if __name__ == "__main__":
    main()
