"""Hostile bytes: for each, the broker gives an error or closes the connection, other clients go on, memory
stays bounded, and it lives. Where the reference is there too, what it does with the same bytes is compared:
an answer, a closed connection, or silence.
"""

import concurrent.futures
import os
import random
import resource
import socket
import struct
import threading
import time

from lib import wire
from lib.case import Failure, Skip, bootstrap, case, check, equal, main, unique, wait_for
from lib.records import batch
from lib.wire import APIS, HEADERS, Connection, encode, frame

SEED = int(os.environ.get("SEED", "20261121"))


def connect(address, seconds=5):
    host, port = address.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), seconds)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def reaction(address, data, seconds=2.0):
    """'answer', 'closed' or 'silence' after the bytes were sent."""
    with connect(address, seconds) as s:
        try:
            s.sendall(data)
            return "answer" if s.recv(1) else "closed"
        except (ConnectionResetError, BrokenPipeError):
            return "closed"
        except TimeoutError:
            return "silence"


def memory():
    """Resident bytes of the broker under test; None when it is somebody else's."""
    pid = os.environ.get("BROKER_PID")
    if not pid:
        return None
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def not_the_reference():
    """Some of this ends the reference with 'Java heap space'."""
    if os.environ.get("BROKER_KIND") == "kafka":
        raise Skip("the reference does not bear this with the heap it has here")


class Bystander:
    """Another client: writes and reads while the bad one is at work. check() fails if it ever waited long or
    erred."""

    def __init__(self):
        self.topic = unique("bystander")
        with Connection(bootstrap()) as c:
            made = c.call(
                "CreateTopics",
                4,
                topics=[{"name": self.topic, "numPartitions": 1, "replicationFactor": 1}],
                timeoutMs=10000,
            )
            equal(made["topics"][0]["errorCode"], 0, "creation")
        wait_for(lambda: self.once() == 0, "the bystander's topic")
        self.stop, self.slowest, self.error, self.count = threading.Event(), 0.0, None, 0
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def once(self):
        with Connection(bootstrap()) as c:
            return self.write(c)

    def write(self, c):
        data = [{"name": self.topic, "partitionData": [{"index": 0, "records": batch([b"still here"])}]}]
        return c.call("Produce", 9, acks=-1, timeoutMs=5000, topicData=data)["responses"][0][
            "partitionResponses"
        ][0]["errorCode"]

    def work(self):
        try:
            with Connection(bootstrap()) as c:
                while not self.stop.wait(0.02):
                    start = time.monotonic()
                    equal(self.write(c), 0, "the bystander's produce")
                    self.slowest, self.count = max(self.slowest, time.monotonic() - start), self.count + 1
        except (Failure, OSError, wire.Closed) as e:
            self.error = e

    def __enter__(self):
        self.memory = memory()
        return self

    def __exit__(self, kind, *_):
        until = time.monotonic() + 10
        while not kind and not self.count and not self.error and time.monotonic() < until:
            time.sleep(0.01)
        self.stop.set()
        self.thread.join(20)
        if kind:
            return
        check(not self.error, f"the bystander: {type(self.error).__name__} {self.error}")
        check(
            self.count > 0 and self.slowest < 5,
            f"the bystander wrote {self.count} times, the slowest took {self.slowest:.1f} s",
        )
        equal(self.once(), 0, "a new connection's produce")


def bounded(before, most, what):
    """Memory did not grow by more than that."""
    now = memory()
    if before and os.environ.get("BROKER_KIND") == "ottla":
        check(now - before < most, f"{what}: memory grew from {before >> 20} MiB to {now >> 20} MiB")


def header(key, version, client="x", flexible=False):
    return encode(
        HEADERS["RequestHeader"],
        2 if flexible else 1,
        {"requestApiKey": key, "requestApiVersion": version, "correlationId": 1, "clientId": client},
    )


def frames():
    """(what, bytes)"""
    ok = header(18, 0)
    yield "a negative length", struct.pack(">i", -1)
    yield "the smallest length", struct.pack(">i", -(2**31))
    yield "a frame over socket.request.max.bytes", struct.pack(">i", 104857601)
    yield "the largest length", struct.pack(">i", 2**31 - 1)
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "a TLS hello", bytes.fromhex("16030100f5010000f10303") + bytes(235)
    yield "an empty frame", frame(b"")
    yield "a frame of one byte", frame(b"\0")
    yield "half a header", frame(ok[:6])
    yield "an unknown API key", frame(header(999, 0))
    yield "a negative API key", frame(header(-1, 0))
    yield "an unknown version of Metadata", frame(header(3, 99) + bytes(20))
    yield "a negative version", frame(header(3, -1) + bytes(20))
    yield "a version of Produce that was dropped", frame(header(0, 2) + bytes(20))
    yield "a client id longer than the frame", frame(ok[:8] + struct.pack(">h", 30000) + b"x")
    yield "a client id of negative length -2", frame(ok[:8] + struct.pack(">h", -2))
    yield "a body cut short", frame(header(3, 1) + struct.pack(">i", 5) + struct.pack(">h", 3) + b"a")
    yield "an array of 2^31-1", frame(header(3, 1) + struct.pack(">i", 2**31 - 1))
    yield "an array of -2", frame(header(3, 1) + struct.pack(">i", -2))
    yield "a compact array of 2^32", frame(header(3, 9, flexible=True) + b"\xff\xff\xff\xff\x0f\x00")
    yield "a varint without end", frame(header(3, 9, flexible=True) + b"\xff" * 20)
    yield "a tag longer than the frame", frame(
        header(18, 3, flexible=True) + b"\x02a\x02b\x01\x05\xff\xff\xff\x7f"
    )
    yield "a million tags", frame(header(18, 3, flexible=True) + b"\x02a\x02b\xc0\x84\x3d")
    yield "a string that is not UTF-8", frame(
        header(3, 1) + struct.pack(">i", 1) + struct.pack(">h", 2) + b"\xff\xfe"
    )
    yield "an answer-less API of a controller", frame(header(52, 0, flexible=True) + bytes(8))


@case(seconds=90, needs=["reference", "broker"])
def frames_as_the_reference():
    """The same bytes to both: an answer, or a closed connection."""
    lines = []
    with Bystander():
        for what, data in frames():
            kafka, other = reaction(os.environ["REFERENCE"], data), reaction(bootstrap(), data)
            if kafka != other:
                lines.append(f"{what}: kafka {kafka}, here {other}")
    check(not lines, "\n".join(lines))


@case(seconds=60)
def truncated_requests():
    """Every prefix of good requests, as a whole frame: an answer or a closed connection, never silence."""
    requests = [
        (
            header(3, 12, flexible=True)
            + encode(
                APIS["Metadata"].request, 12, {"topics": [{"name": "a"}], "allowAutoTopicCreation": False}
            )
        ),
        (
            header(0, 9, flexible=True)
            + encode(
                APIS["Produce"].request,
                9,
                {
                    "acks": -1,
                    "timeoutMs": 100,
                    "topicData": [
                        {"name": "none", "partitionData": [{"index": 0, "records": batch([b"x"])}]}
                    ],
                },
            )
        ),
        (
            header(1, 12, flexible=True)
            + encode(
                APIS["Fetch"].request,
                12,
                {"maxWaitMs": 0, "topics": [{"topic": "none", "partitions": [{"partition": 0}]}]},
            )
        ),
        (
            header(11, 5)
            + encode(
                APIS["JoinGroup"].request,
                5,
                {
                    "groupId": "g",
                    "protocolType": "consumer",
                    "memberId": "nobody",
                    "sessionTimeoutMs": 10000,
                    "protocols": [{"name": "r", "metadata": b"x"}],
                },
            )
        ),
    ]
    with Bystander():
        for request in requests:
            for n in range(len(request)):
                got = reaction(bootstrap(), frame(request[:n]), 5)
                check(got != "silence", f"{n} of {len(request)} bytes: {got}: {request[:n].hex()}")


@case(seconds=90, alone=True)
def mutated_requests():
    """Good requests of every API and version with bytes changed at random. SEED=n repeats a run."""
    rng = random.Random(SEED)
    with Bystander() as bystander:
        for _ in range(1500):
            api = rng.choice(list(APIS.values()))
            version = rng.choice(wire.versions(api.name) or [0])
            flexible = wire.schema.within(api.request.flexible, version)
            data = bytearray(header(api.key, version, flexible=flexible) + encode(api.request, version, {}))
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(8, len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            try:
                with connect(bootstrap()) as s:
                    s.sendall(frame(bytes(data)))
                    s.settimeout(0.02)
                    s.recv(4)
            except (TimeoutError, ConnectionResetError, BrokenPipeError):
                pass
        bounded(bystander.memory, 64 << 20, "after mutated requests")


@case(seconds=60, alone=True)
def random_bytes():
    rng = random.Random(SEED)
    with Bystander() as bystander:
        for _ in range(500):
            data = rng.randbytes(rng.randint(1, 4000))
            if rng.random() < 0.5:
                data = frame(data)
            try:
                with connect(bootstrap()) as s:
                    s.sendall(data)
                    s.settimeout(0.01)
                    s.recv(4)
            except (TimeoutError, ConnectionResetError, BrokenPipeError):
                pass
        bounded(bystander.memory, 64 << 20, "after random bytes")


@case(seconds=60, alone=True)
def slow_and_half_open():
    """Clients that send a byte now and then, stop in the middle of a frame, never read, or close one side."""
    not_the_reference()
    with Bystander() as bystander:
        open_ones = []
        for i in range(300):
            s = connect(bootstrap())
            if i % 3 == 0:
                s.sendall(
                    struct.pack(">i", 50_000_000)
                )  # a large frame that never comes: no memory for it in advance
            elif i % 3 == 1:
                s.sendall(frame(header(18, 0))[:5])
            open_ones.append(s)
        bounded(bystander.memory, 64 << 20, "with 100 large frames announced")
        slow = connect(bootstrap(), 20)
        for byte in frame(header(18, 0)):
            slow.send(bytes([byte]))
            time.sleep(0.05)
        equal(len(slow.recv(4)), 4, "bytes of the slow sender's answer")
        half = connect(bootstrap())
        half.sendall(frame(header(18, 0)))
        half.shutdown(socket.SHUT_WR)
        check(half.recv(4) is not None, "half closed")
        for s in open_ones:
            s.close()


@case(seconds=60, alone=True)
def never_reads():
    """A client that asks for much and reads nothing: its answers must not pile up in the broker's memory."""
    not_the_reference()
    with Bystander() as bystander:
        topic = bystander.topic
        with Connection(bootstrap()) as c:
            data = [{"name": topic, "partitionData": [{"index": 0, "records": batch([b"z" * 900_000])}]}]
            for _ in range(20):
                equal(
                    c.call("Produce", 9, acks=-1, timeoutMs=5000, topicData=data)["responses"][0][
                        "partitionResponses"
                    ][0]["errorCode"],
                    0,
                    "produce",
                )
        before = memory()
        greedy = Connection(bootstrap(), seconds=2)
        try:
            for _ in range(300):
                greedy.send(
                    "Fetch",
                    11,
                    maxWaitMs=0,
                    minBytes=0,
                    maxBytes=50 << 20,
                    sessionEpoch=-1,
                    topics=[
                        {
                            "topic": topic,
                            "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 50 << 20}],
                        }
                    ],
                )
        except (TimeoutError, wire.Closed):
            pass
        time.sleep(1)
        bounded(before, 128 << 20, "with 300 fetches of 20 MB that nobody reads")
        greedy.close()


@case(seconds=60, alone=True)
def decompression_bombs():
    """A small batch that says it holds much more than max.message.bytes lets in."""
    not_the_reference()
    import gzip  # pylint: disable=import-outside-toplevel

    bombs = {
        "gzip": gzip.compress(gzip.compress(bytes(200 << 20), 9), 9),
        "snappy": b"\xff\xff\xff\xff\x0f" + b"\xfe\x01\x00" * 1000,
    }
    bombs["gzip of zeros"] = gzip.compress(bytes(100 << 20), 9)[:900_000]
    bombs["lz4"] = (
        b"\x04\x22\x4d\x18\x60\x40\x82"
        + struct.pack("<I", 65000)
        + b"\x1f\x00\x01\x00"
        + b"\xff" * 64996
        + bytes(4)
    )
    bombs["zstd"] = b"\x28\xb5\x2f\xfd\xe4" + struct.pack("<Q", 1 << 40) + b"\x03\x00\x80\x00"
    with Bystander() as bystander:
        for what, payload in bombs.items():
            codec = what.split()[0]
            for count in (1, 1000, 2**31 - 1):
                records = batch([b"x"], codec, payload=payload, count=count, lastOffsetDelta=count - 1)
                with Connection(bootstrap(), seconds=30) as c:
                    start = time.monotonic()
                    answer = c.call(
                        "Produce",
                        9,
                        acks=-1,
                        timeoutMs=5000,
                        topicData=[
                            {"name": bystander.topic, "partitionData": [{"index": 0, "records": records}]}
                        ],
                    )
                    error = answer["responses"][0]["partitionResponses"][0]["errorCode"]
                    check(error != 0, f"{what}, count {count} was taken")
                    check(time.monotonic() - start < 10, f"{what} took {time.monotonic() - start:.1f} s")
        bounded(bystander.memory, 64 << 20, "after decompression bombs")


@case(seconds=90, alone=True)
def large_frames():
    """Frames of the largest size that is allowed, several at once: memory follows queued.max.request.bytes or
    the frames, and is given back."""
    not_the_reference()
    with Bystander() as bystander:
        body = header(3, 1) + bytes(50 << 20)
        senders = [threading.Thread(target=reaction, args=(bootstrap(), frame(body), 20)) for _ in range(4)]
        for s in senders:
            s.start()
        for s in senders:
            s.join()
        time.sleep(1)
        bounded(bystander.memory, 96 << 20, "after four frames of 50 MiB")


@case(seconds=180, alone=True)
def ten_thousand_connections():
    """They cost little, each is answered, others are served beside them, and all is given back."""
    not_the_reference()
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted + 500:
        wanted = hard - 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 500), hard))
    with Bystander() as bystander:
        with concurrent.futures.ThreadPoolExecutor(
            50
        ) as pool:  # on a busy machine a connect waits for its turn
            sockets = list(pool.map(lambda _: connect(bootstrap(), 30), range(wanted)))
        request = frame(header(18, 0))
        for s in sockets:
            s.sendall(request)
        answered = sum(bool(s.recv(4)) for s in sockets)
        equal(answered, wanted, "connections that were answered")
        bounded(bystander.memory, wanted * 24 * 1024 + (32 << 20), f"with {wanted} connections")
        for s in sockets:
            s.close()
    with Connection(bootstrap()) as c:
        equal(c.call("ApiVersions", 0)["errorCode"], 0, "after all were closed")


@case(seconds=60)
def pipelines():
    """A thousand requests at once on a connection are answered in order; a bad one among them ends it after
    the good ones before it."""
    with Bystander(), Connection(bootstrap()) as c:
        for _ in range(1000):
            c.send("ApiVersions", 0)
        for _ in range(1000):
            equal(c.receive()["errorCode"], 0, "answer")
        with Connection(bootstrap()) as d:
            d.send("ApiVersions", 0)
            d.send("ApiVersions", 0)
            d.send_raw(frame(header(999, 0)))
            equal([d.receive()["errorCode"] for _ in range(2)], [0, 0], "answers before the bad request")
            try:
                d.receive_raw()
                raise Failure("the bad request was answered")
            except wire.Closed:
                pass


@case(seconds=60)
def null_records_and_odd_metadata():
    """What makes the reference itself silent: null records in a Produce, a consumer's subscription that
    announces a huge array."""
    not_the_reference()
    with Bystander() as bystander:
        for v in (3, 9, 12):
            data = [{"name": bystander.topic, "partitionData": [{"index": 0, "records": None}]}]
            try:
                with Connection(bootstrap()) as c:
                    answer = c.call("Produce", v, acks=-1, timeoutMs=5000, topicData=data)
                    check(
                        answer["responses"][0]["partitionResponses"][0]["errorCode"] != 0,
                        "null records were taken",
                    )
            except wire.Closed:
                pass
        with Connection(bootstrap()) as c:
            wait_for(lambda: c.call("FindCoordinator", 1, key="odd")["errorCode"] == 0, "a coordinator")
            fields = {
                "groupId": unique("odd"),
                "sessionTimeoutMs": 6000,
                "rebalanceTimeoutMs": 6000,
                "memberId": "",
                "protocolType": "consumer",
                "protocols": [{"name": "range", "metadata": b"\0\1range"}],
            }
            wait_for(
                lambda: c.call("JoinGroup", 2, **fields)["errorCode"] not in (14, 15, 16),
                "an answer to the join",
            )


@case(seconds=60)
def the_broker_lives():
    """Last: the process is the one that was started, and it serves."""
    pid = os.environ.get("BROKER_PID")
    if pid:
        os.kill(int(pid), 0)
    with Bystander():
        time.sleep(0.2)


if __name__ == "__main__":
    main()
