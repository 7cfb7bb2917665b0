"""Kafka Connect, distributed: a file becomes a topic becomes a file. The source is exactly-once: each batch of
records and the position in the file are one transaction."""

import os
import tempfile
import threading

from connect import Worker, append_lines, lines_of, sink, source, topics, values_of
from lib.case import bootstrap, case, check, equal, main, unique, wait_for
from lib.wire import Connection

LINES = 3000


def numbered(first, count):
    return [f"line {first + i}" for i in range(count)]


def wait_for_lines(path, wanted, seconds=60):
    try:
        wait_for(lambda: len(lines_of(path)) >= len(wanted), f"{len(wanted)} lines in the sink", seconds)
    finally:
        check(lines_of(path) == wanted[: len(lines_of(path))], lambda: differences(lines_of(path), wanted))


def differences(got, wanted):
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
    return f"{len(got)} lines, wanted {len(wanted)}; from {at} on: {got[at:at + 5]}, wanted {wanted[at:at + 5]}"


def ongoing(transactional_id):
    """Since when (milliseconds) a transaction is open, None without one."""
    with Connection(bootstrap()) as connection:
        listed = connection.call("ListTransactions", 0, stateFilters=["Ongoing"])
        if transactional_id not in [t["transactionalId"] for t in listed["transactionStates"]]:
            return None
        described = connection.call("DescribeTransactions", 0, transactionalIds=[transactional_id])
        state = described["transactionStates"][0]
        return state["transactionStartTimeMs"] if state["transactionState"] == "Ongoing" else None


class Feeder(threading.Thread):
    """Writes lines to a file little by little, so that whatever happens, happens in the middle."""

    def __init__(self, path, count):
        super().__init__(daemon=True)
        self.path, self.count, self.end = path, count, threading.Event()

    def run(self):
        for first in range(0, self.count, 20):
            append_lines(self.path, numbered(first, 20))
            self.end.wait(0.1)


@case(seconds=240, needs=["java", "broker"])
def file_to_file():
    """One worker with source and sink, stopped cleanly in between: the sink has every line once."""
    group, topic = unique("connect"), unique("connect-lines")
    with tempfile.TemporaryDirectory() as folder:
        read, written = os.path.join(folder, "in.txt"), os.path.join(folder, "out.txt")
        append_lines(read, numbered(0, LINES))
        with Worker(folder, bootstrap(), group).start_ready() as worker:
            source(worker, "lines", read, topic)
            sink(worker, "copy", topic, written)
            wait_for_lines(written, numbered(0, LINES))
            worker.stop()
        append_lines(read, numbered(LINES, LINES))
        with Worker(folder, bootstrap(), group).start_ready() as worker:
            wait_for_lines(written, numbered(0, 2 * LINES))
            worker.stop()
        equal(lines_of(written), numbered(0, 2 * LINES), "the sink at the end")
    equal(values_of(bootstrap(), topic), numbered(0, 2 * LINES), "the topic at the end")


@case(seconds=300, needs=["java", "broker"], alone=True)
def worker_killed():
    """Two workers; the one that reads the file is killed within a transaction: what it had written is aborted, the
    other goes on where the last transaction ended."""
    group, topic = unique("connect"), unique("connect-lines")
    with tempfile.TemporaryDirectory() as folder:
        read, written = os.path.join(folder, "in.txt"), os.path.join(folder, "out.txt")
        feeder = Feeder(read, 2 * LINES)
        with Worker(folder, bootstrap(), group) as one, Worker(folder, bootstrap(), group) as two:
            one.ready()
            two.ready()
            append_lines(read, [])
            source(
                one, "lines", read, topic, transaction_boundary="interval", transaction_boundary_interval_ms=3000
            )
            feeder.start()
            wait_for(lambda: topic in topics(bootstrap()), "the topic to be made", 60)
            wait_for(lambda: values_of(bootstrap(), topic), "a first transaction to be committed", 60, 0.5)
            victim, other = (one, two) if one.where("lines") == one.id else (two, one)
            kill_within_transaction(victim, f"{group}-lines-0")
            wait_for(lambda: other.where("lines") == other.id, "the other worker to take over", 60, 0.2)
            victim.start().ready()
            feeder.join()
            wait_for(lambda: len(values_of(bootstrap(), topic)) >= feeder.count, "all lines in the topic", 90, 1)
            sink(other, "copy", topic, written)
            wait_for_lines(written, numbered(0, feeder.count))
        equal(lines_of(written), numbered(0, feeder.count), "the sink at the end")
        all_written = values_of(bootstrap(), topic, isolation="read_uncommitted")
        equal(values_of(bootstrap(), topic), numbered(0, feeder.count), "the topic at the end")
        check(len(all_written) > feeder.count, "no transaction was aborted: the kill came between two")
        print(f"{len(all_written) - feeder.count} records of aborted transactions")


def kill_within_transaction(worker, transactional_id):
    """Kills it when a transaction has just been seen to begin; three seconds later it would have ended."""
    before = ongoing(transactional_id)
    wait_for(lambda: ongoing(transactional_id) not in (None, before), f"{transactional_id} to begin anew", 30)
    worker.kill()
    check(ongoing(transactional_id), "the transaction of the killed worker is not open")


if __name__ == "__main__":
    main()
