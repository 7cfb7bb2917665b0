"""A Flink job in a cluster of its own process, by Flink's own connector: reads and writes topics exactly once, and
fails in the middle."""

import collections
import json
import os

from lib.broker import ottla_binary
from lib.case import bootstrap, case, check, equal, main, run, unique

KEYS, PARTITIONS, RECORDS = 10, 2, 6000
OPENED = ("java.lang", "java.util", "java.time")  # packages that Flink's serializers look into


def ottla(*args, stdin=None):
    return run([ottla_binary(), *args, "-b", bootstrap()], stdin=stdin)


def values(topic, isolation):
    printed = ottla("consume", topic, "-e", "-f", "json", "--isolation", isolation)
    return [json.loads(line)["value"] for line in printed.splitlines()]


def fill(topic):
    """A key is in one partition, so that its sums are what they are in memory. Gives these."""
    sums, wanted, lines = collections.Counter(), [], collections.defaultdict(str)
    for number in range(RECORDS):
        key = number % KEYS
        sums[key] += number
        wanted.append(f"{key} {number} {sums[key]}")
        lines[key % PARTITIONS] += f"{key} {number}\n"
    for partition, text in lines.items():
        ottla("produce", topic, "-p", str(partition), stdin=text.encode())
    return wanted


@case(seconds=240, needs=["flink", "broker"])
def exactly_once():
    read, written = unique("flink-in"), unique("flink-out")
    for topic in (read, written):
        ottla("topic", "create", topic, "-p", str(PARTITIONS))
    wanted = fill(read)
    opened = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPENED]
    folder = os.environ["FLINK"]
    path = os.pathsep.join([os.path.join(folder, "libs", "*"), os.path.join(folder, "classes")])
    command = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *opened, "-cp", path]
    print(run([*command, "Application", bootstrap(), read, written, str(RECORDS)], seconds=200), end="")
    equal(sorted(values(written, "read_committed")), sorted(wanted), "what was written")
    aborted = len(values(written, "read_uncommitted")) - len(wanted)
    check(aborted > 0, "nothing was written and aborted: the failure came too early to show anything")
    print(f"{aborted} records of aborted transactions")


if __name__ == "__main__":
    main()
