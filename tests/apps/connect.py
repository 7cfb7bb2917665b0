"""Workers of Kafka Connect, from the reference's libraries: started, killed, stopped, asked by HTTP."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

from lib.broker import free_port, ottla_binary  # noqa: E402  pylint: disable=wrong-import-position
from lib.case import check, run, wait_for  # noqa: E402  pylint: disable=wrong-import-position
from lib.wire import Connection  # noqa: E402  pylint: disable=wrong-import-position


def write_properties(path, values):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(f"{key}={value}\n" for key, value in values.items())
    return path


class Program:
    """A JVM whose output goes to a file. As a context it is ended, however its case ends."""

    def __init__(self, main, *args):
        self.command = reference.java(main, *args, heap="512m")
        self.log = tempfile.NamedTemporaryFile("wb", prefix="program-", suffix=".log")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def check_running(self):
        check(self.running(), lambda: f"{self.command[-2:]} ended:\n{self.tail()}")

    def tail(self, lines=40):
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=40):
        """A clean end, as SIGTERM asks for it."""
        self.check_running()
        self.process.terminate()
        self.process.wait(seconds)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            print(f"--- output of {self.command[-2:]}:\n{self.tail()}")
        self.kill()
        self.log.close()


class Worker(Program):
    """A distributed worker; those of one group are one cluster. Sources are exactly-once, sinks read what is
    committed."""

    def __init__(self, folder, bootstrap, group, **more):
        self.port = free_port()
        self.id = f"127.0.0.1:{self.port}"
        values = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "listeners": f"http://{self.id}",
            "rest.advertised.host.name": "127.0.0.1",
            "exactly.once.source.support": "enabled",
            "consumer.isolation.level": "read_committed",
            "offset.flush.interval.ms": "1000",
            "offset.storage.partitions": "5",
            "scheduled.rebalance.max.delay.ms": "0",
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "1000",
            "plugin.discovery": "service_load",
        }
        for topic in ("offset", "config", "status"):
            values[f"{topic}.storage.topic"] = f"{group}-{topic}"
            values[f"{topic}.storage.replication.factor"] = "1"
        values.update({key.replace("_", "."): value for key, value in more.items()})
        path = write_properties(os.path.join(folder, f"worker-{self.port}.properties"), values)
        super().__init__("org.apache.kafka.connect.cli.ConnectDistributed", path)

    def ask(self, method, path, body=None):
        """The answer, or None when the worker cannot give one now."""
        request = urllib.request.Request(
            f"http://{self.id}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as e:
            text = e.read().decode(errors="replace")
            check(e.code in (404, 409, 500, 503), f"{method} {path}: {e.code} {text}")
        except OSError:
            self.check_running()
        return None

    def __enter__(self):
        return self.start() if not self.running() else self

    def start_ready(self):
        return self.start().ready()

    def ready(self):
        wait_for(lambda: self.ask("GET", "/connectors") is not None, "the worker to answer", 120, 0.2)
        return self

    def connect(self, name, **values):
        """Creates a connector and waits until its task runs."""
        config = {key.replace("_", "."): str(value) for key, value in values.items()}
        config["name"] = name
        wait_for(lambda: self.ask("PUT", f"/connectors/{name}/config", config), f"{name} to be taken", 60, 0.5)
        wait_for(lambda: self.where(name), f"the task of {name} to run", 60, 0.2)

    def where(self, name):
        """The id of the worker that runs the connector's task, None while nobody does."""
        status = self.ask("GET", f"/connectors/{name}/status") or {"tasks": []}
        for task in status["tasks"]:
            check(task["state"] != "FAILED", lambda: f"{name} failed: {task}")
            if task["state"] == "RUNNING":
                return task["worker_id"]
        return None


def source(worker, name, path, topic, **more):
    worker.connect(
        name,
        connector_class="org.apache.kafka.connect.file.FileStreamSourceConnector",
        tasks_max=1,
        file=path,
        topic=topic,
        topic_creation_default_partitions=1,
        topic_creation_default_replication_factor=1,
        **more,
    )


def sink(worker, name, topic, path):
    worker.connect(
        name,
        connector_class="org.apache.kafka.connect.file.FileStreamSinkConnector",
        tasks_max=1,
        topics=topic,
        file=path,
    )


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def append_lines(path, lines):
    with open(path, "a", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))


def topics(bootstrap):
    with Connection(bootstrap) as connection:
        return [t["name"] for t in connection.call("Metadata", 1, topics=None)["topics"]]


def records(bootstrap, topic, *options, isolation="read_committed"):
    """Every record of a topic until its end, as objects of `ottla consume --format json`."""
    shown = ["-e", "-f", "json", "--isolation", isolation]
    printed = run([ottla_binary(), "consume", topic, *shown, "-b", bootstrap, *options])
    return [json.loads(line) for line in printed.splitlines()]


def values_of(*args, **options):
    return [r["value"] for r in records(*args, **options)]


