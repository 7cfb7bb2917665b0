"""confluent-kafka: librdkafka from Python, a newer one than the distribution's."""

import os
import sys

from lib.case import main
from lib.suite import register

HERE = os.path.dirname(os.path.abspath(__file__))

register(
    lambda: [sys.executable, os.path.join(HERE, "client.py")],
    ["python", "broker"],
    assignors=("range", "cooperative-sticky", "kip848"),
)

if __name__ == "__main__":
    main()
