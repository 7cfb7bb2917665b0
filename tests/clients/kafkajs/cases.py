"""kafkajs: the client for Node. Its only assignor is a round robin."""

import os

from lib.case import main
from lib.suite import register

HERE = os.path.dirname(os.path.abspath(__file__))

register(lambda: ["node", os.path.join(HERE, "client.js")], ["kafkajs", "broker"], assignors=("roundrobin",))

if __name__ == "__main__":
    main()
