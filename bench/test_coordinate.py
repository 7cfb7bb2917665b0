#!/usr/bin/env python3
"""bench/coordinate against ottla: every part runs to its end, and its figures add up.

    bench/test_coordinate.py COORDINATE OTTLA
"""
import re
import socket
import subprocess
import sys
import tempfile
import time

COORDINATE, OTTLA = sys.argv[1:3]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(folder, port):
    settings = {"listeners": f"PLAINTEXT://127.0.0.1:{port}", "log.dirs": folder, "group.initial.rebalance.delay.ms": 0,
                "group.consumer.assignment.interval.ms": 0}
    broker = subprocess.Popen([OTTLA, "server", *(w for k, v in settings.items() for w in ("--override", f"{k}={v}"))],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return broker
        except OSError:
            time.sleep(0.01)
    broker.kill()
    raise SystemExit("ottla does not listen")


def coordinate(port, pid, mode, *options):
    got = subprocess.run([COORDINATE, mode, "-p", str(port), "-P", str(pid), "-t", "-".join(["t", mode, *options]).replace(" ", ""),
                          *options], capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 0, f"{mode} {options}: status {got.returncode}: {got.stdout}{got.stderr}"
    return {k: float(v) for k, v in re.findall(r"(\w+)=(-?[\d.]+)", got.stdout)}


def main():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        broker = start(folder, port)
        try:
            for version in "1", "2":
                got = coordinate(port, broker.pid, "transactions", "-V", version, "-c", "3", "-d", "1", "-w", "1")
                assert got["txns"] > 3 and 0 < got["end_p50_ms"] < got["txn_p50_ms"] <= got["txn_p99_ms"], got
            for mode in "classic", "consumer":
                got = coordinate(port, broker.pid, mode, "-c", "5", "-n", "10", "-r", "3", "-w", "1")
                assert got["rebalances"] == 6 and got["storm_ms"] > 0 and 0 < got["come_p50_ms"] <= got["come_max_ms"], got
            got = coordinate(port, broker.pid, "commits", "-c", "20", "-n", "3", "-d", "1", "-w", "1")
            assert got["commits"] == 20 and 0 < got["commit_p50_ms"] <= got["commit_p99_ms"], got
            assert broker.poll() is None
        finally:
            broker.kill()
            broker.wait()


main()
