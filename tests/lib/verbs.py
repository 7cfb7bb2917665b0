"""The verbs of lib/suite.py for clients written in Python: reading and printing, and dispatch to a module's
functions."""

import os
import signal
import sys
import threading


def null(text):
    return None if text == "\\N" else text


def text(raw):
    return "\\N" if raw is None else raw.decode()


def stdin_records():
    """(key, value, header or None) as bytes; header is (name, bytes)."""
    for line in sys.stdin:
        key, value, header = (null(s) for s in line.rstrip("\n").split("\t"))
        name, _, content = (header or "").partition("=")
        yield (
            None if key is None else key.encode(),
            None if value is None else value.encode(),
            (name, content.encode()) if header is not None else None,
        )


def say(*words):
    print(*words, sep="\t", flush=True)


def say_record(offset, key, value, headers):
    found = ",".join(f"{name}={content.decode()}" for name, content in headers or ()) or "\\N"
    say(offset, text(key), text(value), found)


class Pending:
    """Records that a member read and has not committed yet, by partition."""

    def __init__(self):
        self.records = {}

    def add(self, partition, offset, value):
        self.records.setdefault(partition, []).append((offset, value))

    def committed(self, offsets=None):
        """All, or what lies before the committed offsets of some partitions."""
        for partition in list(self.records) if offsets is None else offsets:
            kept = []
            for offset, value in self.records.pop(partition, []):
                if offsets is None or offset < offsets[partition]:
                    print(partition, offset, text(value), sep="\t")
                else:
                    kept.append((offset, value))
            if kept:
                self.records[partition] = kept
        sys.stdout.flush()

    def drop(self, partitions):
        for partition in partitions:
            self.records.pop(partition, None)


def stop_event():
    """An event that SIGTERM sets."""
    event = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    return event


def dispatch(produce, consume, member, admin):
    """produce(topic, partition, codec), consume(topic, partition, start, count), member(topic, group,
    assignor), admin(topic, group); start is 'beginning', 'end', an offset as int, or ('time',
    milliseconds)."""
    verb, *args = sys.argv[1:]
    if verb == "produce":
        produce(args[0], int(args[1]), args[2])
    elif verb == "consume":
        start = args[2]
        if start.startswith("@"):
            start = ("time", int(start[1:]))
        elif start.isdigit():
            start = int(start)
        consume(args[0], int(args[1]), start, int(args[3]))
    elif verb == "member":
        member(*args)
    elif verb == "admin":
        admin(*args)
    else:
        sys.exit(f"no verb {verb}")
    sys.stdout.flush()
    os._exit(0)
