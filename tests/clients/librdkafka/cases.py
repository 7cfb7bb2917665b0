"""librdkafka of the distribution, from C."""

import os

from lib.case import main
from lib.suite import register

register(
    lambda: [os.environ["LIBRDKAFKA_CLIENT"]],
    ["librdkafka", "broker"],
    assignors=("range", "cooperative-sticky"),
)

if __name__ == "__main__":
    main()
