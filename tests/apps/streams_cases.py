"""Kafka Streams applications with state that moves: both group protocols, both guarantees, with and without standbys.
The application and what it is checked against: tests/clients/streams."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients", "streams"))
from application import application  # noqa: E402  pylint: disable=wrong-import-position
from lib.case import case, main  # noqa: E402  pylint: disable=wrong-import-position

RECORDS = 4000


@case(seconds=300, needs=["java", "broker"])
def streams_at_least_once():
    print(json.dumps(application("streams", "at_least_once", RECORDS, standbys=1)))


@case(seconds=300, needs=["java", "broker"])
def streams_exactly_once():
    print(json.dumps(application("streams", "exactly_once_v2", RECORDS, standbys=1)))


@case(seconds=300, needs=["java", "broker"])
def classic_at_least_once():
    print(json.dumps(application("classic", "at_least_once", RECORDS)))


@case(seconds=300, needs=["java", "broker"])
def classic_exactly_once():
    print(json.dumps(application("classic", "exactly_once_v2", RECORDS, standbys=1)))


if __name__ == "__main__":
    main()
