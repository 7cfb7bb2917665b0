"""The metadata log and formatting, against Apache Kafka: what one formats and writes, the other opens and continues. The program
metadata_log lives the life of a node on a log directory without a server."""
import glob
import os
import re
import subprocess

from lib.broker import Broker, ottla_binary, reference
from lib.case import ROOT, check, equal, main, run, case

SALT = "MWx2NHBkbnc0ZndxN25vdGN4bTB5Y2p1Zm8="
USER = f'SCRAM-SHA-256=[name=alice,password=secret,iterations=4096,salt="{SALT}"]'


def program():
    """metadata_log stands in the build folder beside the ottla under test."""
    build = os.path.dirname(ottla_binary()) if ottla_binary() else os.path.join(ROOT, "build")
    return os.path.join(build, "tests", "compat", "metadata_log")


def node(dynamic):
    """A node of the reference that is not formatted yet."""
    broker = Broker("kafka")
    if dynamic:
        path = broker.properties
        with open(path, encoding="utf-8") as f:
            lines = [s for s in f if not s.startswith("controller.quorum.voters")]
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(lines + [f"controller.quorum.bootstrap.servers=127.0.0.1:{broker.controller_port}\n"])
    return broker


def live(broker, dynamic, *topics):
    """One life of a node on the directory, by our own code; what it found, as lines."""
    voters = "" if dynamic else f"1@127.0.0.1:{broker.controller_port}"
    return run([program(), broker.data, voters, *topics]).splitlines()


def topics(broker):
    return run(reference.tool("topics", "--bootstrap-server", broker.bootstrap, "--describe"))


def create(broker, name):
    run(reference.tool("topics", "--bootstrap-server", broker.bootstrap, "--create", "--topic", name, "--partitions", "3",
                       "--config", "cleanup.policy=compact"))


def same_but_for(ours, theirs, what, lengths):
    """Equal files, but for checksums, times and what `lengths` covers: ranges of bytes."""
    a, b = open(ours, "rb").read(), open(theirs, "rb").read()
    equal(len(a), len(b), f"size of {what}")
    at, skipped = 0, set()
    while at < len(a):
        skipped |= set(range(at + 17, at + 21)) | set(range(at + 27, at + 43))
        at += 12 + int.from_bytes(a[at + 8:at + 12], "big")
    for first, last in lengths:
        skipped |= set(range(first, last))
    differ = [i for i in range(len(a)) if a[i] != b[i] and i not in skipped]
    equal(differ, [], f"bytes of {what} that differ")


def format_case(dynamic):
    args = (["--standalone"] if dynamic else []) + ["--add-scram", USER]
    with node(dynamic) as theirs, node(dynamic) as ours:
        theirs.format("kafka", *args)
        ours.format("ottla", *args)
        same_but_for(os.path.join(ours.data, "bootstrap.checkpoint"), os.path.join(theirs.data, "bootstrap.checkpoint"),
                     "bootstrap.checkpoint", [])
        keys = [sorted(re.findall(r"^([a-z.]+)=", open(os.path.join(b.data, "meta.properties"), encoding="utf-8").read(), re.M))
                for b in (ours, theirs)]
        equal(keys[0], keys[1], "keys of meta.properties")
        if dynamic:
            name = os.path.join("__cluster_metadata-0", "0" * 20 + "-" + "0" * 10 + ".checkpoint")
            # the time of the header record, the directory id, the ports
            same_but_for(os.path.join(ours.data, name), os.path.join(theirs.data, name), "the first snapshot",
                         [(72, 82), (117, 133), (155, 166)])


@case(needs=("java",))
def format_static():
    format_case(False)


@case(needs=("java",))
def format_standalone():
    format_case(True)


def swap_case(dynamic, formatter):
    """Formatted by one, filled by Kafka, continued by ours, and found whole by Kafka again."""
    with node(dynamic) as broker:
        broker.format(formatter, *(["--standalone"] if dynamic else []), "--add-scram", USER)
        broker.start("kafka")
        create(broker, "from-kafka")
        check(broker.stop() is not False, "Kafka did not stop by itself")
        found = live(broker, dynamic, "from-ottla")
        for line in ("feature metadata.version=30", "feature transaction.version=2", "user alice mechanism 1 iterations 4096",
                     "broker 1 fenced", "config 2 from-kafka cleanup.policy=compact",
                     "partition from-kafka-2 leader -1 isr 0 elr 1"):
            check(line in found, f"'{line}' is not in {found}")
        broker.start("kafka")
        described = topics(broker)
        check(re.search(r"Topic: from-kafka\s.*PartitionCount: 3.*cleanup.policy=compact", described), described)
        check(re.search(r"Topic: from-ottla\s.*PartitionCount: 2.*retention.ms=12345", described), described)
        equal(len(re.findall(r"Leader: 1", described)), 5, "partitions with a leader")
        broker.stop()
        found = live(broker, dynamic)
        check("partition from-ottla-1 leader -1 isr 0 elr 1" in found, f"{found}")
        dump(broker)


def dump(broker):
    """Kafka's tool reads every batch of the log and every snapshot."""
    folder = os.path.join(broker.data, "__cluster_metadata-0")
    files = glob.glob(os.path.join(folder, "*.log")) + glob.glob(os.path.join(folder, "*.checkpoint"))
    check(len(files) >= 2, f"no snapshot in {files}")
    text = run(reference.tool("dump-log", "--cluster-metadata-decoder", "--deep-iteration", "--files", ",".join(files)))
    check("isvalid: false" not in text and "SnapshotFooter" in text and "from-ottla" in text, text[-2000:])


@case(seconds=180, needs=("java",))
def swap_formatted_by_kafka():
    swap_case(False, "kafka")


@case(seconds=180, needs=("java",))
def swap_formatted_by_ottla():
    swap_case(False, "ottla")


@case(seconds=180, needs=("java",))
def swap_standalone_formatted_by_ottla():
    swap_case(True, "ottla")


@case(needs=())
def format_refuses_in_one_line():
    """Wrong arguments: one line, status 1 (or 2 for usage), and nothing on disk."""
    for args, text, status in ((["--release-version", "9.9"], "Unknown metadata.version '9.9'", 1),
                               (["--feature", "x=1"], "Unsupported feature: x", 1),
                               (["--feature", "group.version=9"], "No feature:group.version with feature level 9", 1),
                               (["--feature", "group.version"], "--feature group.version", 2),
                               (["--standalone"], "You cannot specify controller.quorum.voters", 1),
                               (["--add-scram", "MD5=[name=a,password=b]"], "mechanism MD5 is not supported", 1),
                               (["--add-scram", "SCRAM-SHA-256=[name=a,password=b,iterations=7]"], "must be >= 4096", 1)):
        with Broker("ottla") as broker:
            got = subprocess.run([ottla_binary(), "storage", "format", "-t", reference.CLUSTER_ID, "-c",
                                  broker.properties, *args],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            equal(got.returncode, status, f"status of {args}")
            check(text in got.stderr and got.stderr.count("\n") == 1, f"{args}: {got.stderr}")
            check(not os.path.exists(os.path.join(broker.data, "meta.properties")), f"{args} left something")


main()
