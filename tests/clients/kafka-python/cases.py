"""kafka-python: the client in plain Python."""

import os
import sys

from lib.case import bootstrap, case, equal, main, run, unique
from lib.suite import register

HERE = os.path.dirname(os.path.abspath(__file__))

register(
    lambda: [sys.executable, os.path.join(HERE, "client.py")],
    ["python", "broker"],
    assignors=("range", "roundrobin", "sticky"),
)


@case(needs=["python", "broker"])
def starter():
    """The program that the project's users start from, unchanged."""
    printed = run(
        [sys.executable, os.path.join(HERE, "starter.py"), bootstrap(), unique("starter")], seconds=50
    )
    equal(printed.strip().splitlines()[-1], "True", "what it printed")


if __name__ == "__main__":
    main()
