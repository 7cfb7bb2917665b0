"""kcat: the command line client made with librdkafka."""

import json
import shutil
import time

from lib.case import Skip, bootstrap, case, check, equal, main, run, unique, wait_for

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def kcat(*args, **options):
    if not shutil.which("kcat"):
        raise Skip("unavailable: kcat is not installed")
    return run(["kcat", "-b", bootstrap(), "-q", *args], **options)


def produce(topic, lines, *args):
    kcat("-P", "-t", topic, *args, stdin="".join(f"{s}\n" for s in lines).encode())


def consume(topic, *args):
    """Partition 0 until its end: a list of lines."""
    return kcat("-C", "-t", topic, "-p", "0", "-e", *args).splitlines()


@case()
def codecs():
    """What every codec wrote comes back with keys and headers, in order."""
    topic = unique("kcat-codecs")
    wanted = []
    for codec in CODECS:
        lines = [f"{codec}-key-{i}\t{codec}-{i}-{'payload ' * 20}" for i in range(200)]
        produce(topic, lines, "-z", codec, "-K", "\t", "-p", "0", "-H", f"codec={codec}", "-H", "empty=")
        wanted += [f"codec={codec},empty=|{line}" for line in lines]
    equal(consume(topic, "-o", "beginning", "-f", "%h|%k\t%s\n"), wanted, "records")


@case()
def null_and_empty():
    """A null value (a tombstone) and an empty one are not the same."""
    topic = unique("kcat-null")
    produce(topic, ["a:", "b:x"], "-K", ":", "-Z", "-p", "0")
    produce(topic, ["c:"], "-K", ":", "-p", "0")
    got = [json.loads(s) for s in consume(topic, "-o", "beginning", "-J")]
    equal([(m["key"], m["payload"]) for m in got], [("a", None), ("b", "x"), ("c", "")], "records")
    equal([m["offset"] for m in got], [0, 1, 2], "offsets")


@case()
def positions():
    """From the beginning, the end, an offset, one before the end, and a time."""
    topic = unique("kcat-positions")
    produce(topic, [f"old-{i}" for i in range(10)], "-p", "0")
    time.sleep(0.05)
    now = int(time.time() * 1000)
    time.sleep(0.05)
    produce(topic, [f"new-{i}" for i in range(5)], "-p", "0")
    everything = [f"old-{i}" for i in range(10)] + [f"new-{i}" for i in range(5)]
    equal(consume(topic, "-o", "beginning"), everything, "from the beginning")
    equal(consume(topic, "-o", "7"), everything[7:], "from offset 7")
    equal(consume(topic, "-o", "-3"), everything[-3:], "the last three")
    equal(consume(topic, "-o", "end"), [], "from the end")
    equal(consume(topic, "-o", f"s@{now}"), everything[10:], "from a time")
    equal(consume(topic, "-o", f"s@{now + 60000}"), [], "from a time to come")
    found = kcat("-Q", "-t", f"{topic}:0:{now}")
    check("offset 10" in found, f"offset of a time: {found}")


@case()
def metadata():
    """Listing shows the topic that producing made, its leader and replicas."""
    topic = unique("kcat-metadata")
    produce(topic, ["x"])
    found = json.loads(kcat("-L", "-J", "-t", topic))
    equal(found["topics"][0]["topic"], topic, "topic")
    equal([p["leader"] for p in found["topics"][0]["partitions"]], [found["brokers"][0]["id"]], "leaders")
    equal(found["brokers"][0]["name"], bootstrap(), "advertised address")


@case()
def large_values():
    """Values near the limit of a batch pass; one over it is refused."""
    topic = unique("kcat-large")
    value = "x" * 900_000
    produce(topic, [value, value], "-p", "0")
    equal([len(s) for s in consume(topic, "-o", "beginning")], [900_000] * 2, "lengths")
    kcat("-P", "-t", topic, "-p", "0", "-X", "message.max.bytes=4000000", stdin=b"y" * 2_000_000, status=1)


@case(seconds=90)
def group():
    """A balanced consumer reads all partitions; a second one of the group goes on where it ended."""
    topic, name = unique("kcat-group"), unique("group")
    produce(topic, [f"a{i}" for i in range(50)])

    def read(count):
        return sorted(
            kcat(
                "-G", name, "-c", str(count), "-X", "auto.offset.reset=earliest", topic, seconds=40
            ).splitlines()
        )

    equal(read(50), sorted(f"a{i}" for i in range(50)), "first member")
    produce(topic, [f"b{i}" for i in range(20)])
    equal(read(20), sorted(f"b{i}" for i in range(20)), "second member")


@case()
def unknown():
    """A partition that does not exist, and a broker that does not answer, are errors and no hang."""
    topic = unique("kcat-unknown")
    produce(topic, ["x"])
    wait_for(lambda: consume(topic, "-o", "beginning") == ["x"], "the record")
    kcat("-C", "-t", topic, "-p", "99", "-e", status=1)


if __name__ == "__main__":
    main()
