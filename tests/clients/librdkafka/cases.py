"""librdkafka of the distribution, from C."""

import os
import shutil

from lib.case import Skip, bootstrap, case, equal, main, run, unique
from lib.suite import register

register(
    lambda: [os.environ["LIBRDKAFKA_CLIENT"]],
    ["librdkafka", "broker"],
    assignors=("range", "cooperative-sticky"),
)

@case(seconds=60, needs=["librdkafka", "broker"])
def transactions():
    """What a transactional producer commits is read, what it aborts is not; offsets go with it; fencing."""
    topic = unique("transactions")
    if not shutil.which("kcat"):
        raise Skip("kcat is not installed")
    run([os.environ["LIBRDKAFKA_CLIENT"], "transact", topic, unique("group")], env={"BOOTSTRAP": bootstrap()})
    for isolation, wanted in (("read_committed", {"committed"}), ("read_uncommitted", {"committed", "aborted", "fenced"})):
        read = run(["kcat", "-b", bootstrap(), "-C", "-t", topic, "-e", "-q", "-X", f"isolation.level={isolation}"])
        values = read.split()
        equal(set(values), wanted, isolation)
        equal(values.count("committed"), 30, f"committed records, {isolation}")


if __name__ == "__main__":
    main()
