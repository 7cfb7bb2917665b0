"""A Kafka Streams application (Application.java) whose results are compared with the same computation in memory. The
short one is here, the others are in tests/apps."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from application import application  # noqa: E402  pylint: disable=wrong-import-position
from lib.case import case, main  # noqa: E402  pylint: disable=wrong-import-position


@case(seconds=150, needs=["java", "broker"])
def streams_protocol():
    """KIP-1071: the coordinator assigns the tasks; two instances, one after the other and together."""
    print(json.dumps(application("streams", "at_least_once", 400)))


if __name__ == "__main__":
    main()
