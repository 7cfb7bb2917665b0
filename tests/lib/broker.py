"""A broker in a directory of its own, either the one under test (ottla) or the reference (Apache Kafka):
made, started, stopped, killed, opened again. Both are configured by the same server.properties, node 1 on
127.0.0.1.

TEST_PORTS=first-last says where listeners may be (default 22000-22999); OTTLA names the binary (default
build/ottla).
"""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lib import wire
from lib.case import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

KINDS = ("ottla", "kafka")


HELD = []  # files whose locks say which ports this process has taken; they end with it


def is_held(port):
    """Has another test taken the port, whether it listens there yet or not? If not, this one has."""
    folder = os.path.join(tempfile.gettempdir(), f"ottla-test-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    file = open(os.path.join(folder, str(port)), "w", encoding="ascii")  # pylint: disable=consider-using-with
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return True
    HELD.append(file)
    return False


def free_port():
    """A port that no other test takes as long as this process lives."""
    first, last = (int(p) for p in os.environ.get("TEST_PORTS", "22000-22999").split("-"))
    for port in random.sample(range(first, last + 1), min(200, last - first + 1)):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            if not is_held(port):
                return port
    raise OSError(f"no free port in {first}-{last}")


def ottla_binary():
    path = os.environ.get("OTTLA") or os.path.join(ROOT, "build", "ottla")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} is not built")
    return path


class Broker:
    """kind: ottla or kafka. folder: holds server.properties, data/ and server.log; a temporary one is removed
    by close()."""

    def __init__(self, kind, folder=None, extra=None):
        assert kind in KINDS, kind
        self.kind = kind
        self.temporary = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix=f"{kind}-test-")
        self.port, self.controller_port = free_port(), free_port()
        self.process = None
        self.formatted_by = None
        values = reference.properties(self.folder, self.port, self.controller_port, extra)
        reference.write_properties(self.folder, values)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def properties(self):
        return os.path.join(self.folder, "server.properties")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def format(self, kind=None, *args):
        """Formats data/ with the tool of that kind (its own if None)."""
        kind = kind or self.kind
        if kind == "kafka":
            reference.format_storage(self.folder, *args)
        else:
            got = subprocess.run(
                [
                    ottla_binary(),
                    "storage",
                    "format",
                    "--cluster-id",
                    reference.CLUSTER_ID,
                    "--config",
                    self.properties,
                    "--ignore-formatted",
                    *args,
                ],
                stdin=subprocess.DEVNULL,
                check=False,
                capture_output=True,
                timeout=30,
            )
            if got.returncode:
                raise RuntimeError(
                    f"ottla storage format: {(got.stdout + got.stderr).decode(errors='replace')}"
                )
        self.formatted_by = kind

    def start(self, kind=None):
        """Starts it, as another kind than before if asked, and waits until the port answers."""
        self.kind = kind or self.kind
        if not self.formatted_by:
            self.format()
        if self.kind == "kafka":
            self.process = reference.start(self.folder, self.port)
        else:
            self.start_ottla()
        wait_for(self.registered, f"{self.kind} to be in its own metadata", 30)
        return self

    def registered(self):
        """A broker that the controller still fences takes connections and is no place for a topic."""
        try:
            with wire.Connection(self.bootstrap, seconds=5) as connection:
                return connection.call("Metadata", 1, topics=[])["brokers"]
        except (OSError, wire.Closed):
            return None

    def start_ottla(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [ottla_binary(), "server", self.properties],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 15
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"ottla did not start on port {self.port}:\n{self.log_tail(20)}")

    @property
    def log(self):
        return os.path.join(self.folder, "server.log")

    def log_tail(self, lines=30):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """A clean stop. True when it ended by itself with the status of a stop that was asked for."""
        if not self.process:
            return True
        own = reference.stop(self.process)
        # A JVM that ends by SIGTERM, after its shutdown hooks, has status 143.
        return own and self.process.returncode in ((0,) if self.kind == "ottla" else (0, 143))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def close(self):
        self.kill()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.close()
