#!/usr/bin/env python3
"""The measuring programs against each other: load's figures from floor must add up, and load must see what is wrong.

    bench/test_bench.py LOAD FLOOR
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

LOAD, FLOOR = sys.argv[1:3]


class Floor:
    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.folder = folder
        self.process = subprocess.Popen([FLOOR, "-p", str(self.port), "-d", folder])
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise SystemExit("floor does not listen")

    def load(self, mode, *options, status=0):
        """Runs load, which must end with this status: its figures, or its complaint."""
        got = subprocess.run([LOAD, mode, "-p", str(self.port), "-P", str(self.process.pid), *map(str, options)], capture_output=True,
                             text=True, timeout=60, check=False)
        assert got.returncode == status, f"load {mode} {options}: status {got.returncode}: {got.stdout}{got.stderr}"
        return got.stderr if status else {k: float(v) for k, v in re.findall(r"(\w+)=(-?[\d.]+)", got.stdout)}

    def end(self):
        self.process.kill()
        self.process.wait()


def figures_add_up(floor):
    topic = ["-t", "t", "-n", 3]
    floor.load("create", *topic)
    got = floor.load("produce", *topic, "-c", 4, "-d", 30, "-m", 8)
    assert got["mib"] == 8 and got["errors"] == 0 and 0 < got["p50_ms"] <= got["p99_ms"] <= got["max_ms"], got
    records = floor.load("offsets", *topic)["end"]
    assert abs(records - got["records_s"] * got["elapsed_s"]) / records < 0.01, (records, got)
    size = sum(os.path.getsize(os.path.join(floor.folder, f"t-{i}")) for i in range(3))
    assert abs(size / (1 << 20) - got["mib"]) < 0.5, size
    got = floor.load("fetch", *topic, "-c", 3, "-v")
    assert abs(got["records_s"] * got["elapsed_s"] - records) / records < 0.01, got
    floor.load("produce", *topic, "-c", 4, "-d", 0.2, "-a", 0)
    floor.load("produce", *topic, "-c", 4, "-d", 0.2, "-S")
    got = floor.load("produce", *topic, "-c", 2, "-d", 0.5, "-r", 400)
    assert 190 <= got["requests_s"] * got["elapsed_s"] <= 210, got
    assert floor.load("offsets", *topic)["end"] > records
    return records


def end_to_end(floor):
    floor.load("create", "-t", "e", "-n", 1)
    got = floor.load("e2e", "-t", "e", "-r", 500, "-d", 0.5)
    assert got["errors"] == 0 and got["p50_ms"] > 0 and got["ack_p50_ms"] > 0, got
    assert floor.load("offsets", "-t", "e", "-n", 1)["end"] == 250
    floor.load("connect", "-c", 50)


def a_restart_keeps_all(floor):
    end = floor.load("offsets", "-t", "t", "-n", 3)["end"]
    floor.end()
    with open(os.path.join(floor.folder, "t-0"), "ab") as f:
        f.write(b"a torn batch")
    again = Floor(floor.folder)
    assert again.load("offsets", "-t", "t", "-n", 3)["end"] == end
    again.load("fetch", "-t", "t", "-n", 3, "-c", 3, "-v")
    return again


def load_sees_what_is_wrong(floor):
    with open(os.path.join(floor.folder, "t-1"), "r+b") as f:
        f.seek(1000)
        f.write(b"?")
    assert "wrong CRC" in floor.load("fetch", "-t", "t", "-n", 3, "-c", 3, "-v", status=1)
    floor.load("delete", "-t", "t")
    assert not os.path.exists(os.path.join(floor.folder, "t-0"))
    floor.process.terminate()
    floor.process.wait()
    assert "load: " in floor.load("produce", "-t", "e", "-n", 1, status=1)


def main():
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(folder)
        try:
            figures_add_up(floor)
            end_to_end(floor)
            floor = a_restart_keeps_all(floor)
            load_sees_what_is_wrong(floor)
        finally:
            floor.end()


main()
