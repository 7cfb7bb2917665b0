"""grow.py TOPIC PARTITIONS: gives a topic of the broker at BOOTSTRAP that many partitions, and waits until all have a leader."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.case import bootstrap, check, wait_for  # noqa: E402
from lib.wire import Connection  # noqa: E402


def ready(connection, topic, count):
    found = connection.call("Metadata", 9, topics=[{"name": topic}], allowAutoTopicCreation=False)["topics"][0]
    return len(found["partitions"]) == count and all(p["errorCode"] == 0 for p in found["partitions"])


def main():
    topic, count = sys.argv[1], int(sys.argv[2])
    with Connection(bootstrap()) as connection:
        answer = connection.call("CreatePartitions", 2, topics=[{"name": topic, "count": count, "assignments": None}], timeoutMs=10000)
        check(answer["results"][0]["errorCode"] == 0, f"CreatePartitions: {answer}")
        wait_for(lambda: ready(connection, topic, count), "leaders of the new partitions")


if __name__ == "__main__":
    main()
