"""ShareFetch that waits, and what it waits for: records that are produced, given back, or whose lock expires.
And a broker that has no room for more share sessions."""

import os
import threading
import time

from exchange import Peer, Side, compare, exchange
from lib.broker import Broker
from lib.case import case, check, main
from share import ack, filled, filled_again, member_of, produce, read, summary

LONG_MS, SOON = 8000, 6
SMALL = {
    "group.share.max.size": "3",
    "group.share.max.share.sessions": "3",
    "group.share.min.record.lock.duration.ms": "1000",
    "group.share.record.lock.duration.ms": "1000",
    "group.share.delivery.count.limit": "2",
}


class Waiting(threading.Thread):
    """A fetch that is sent, and answered long before its time when there is something (by the reference in the end:
    what is given back does not always wake it)."""

    def __init__(self, member):
        super().__init__()
        self.member, self.answer, self.seconds = member, None, None
        self.start()
        time.sleep(0.5)

    def run(self):
        began = time.monotonic()
        self.answer = self.member.fetch(wait=LONG_MS)
        self.seconds = time.monotonic() - began

    def end(self):
        self.join()
        print(f"{self.member.peer.kind}: {self.seconds:.1f} s")
        slow = self.member.peer.kind == "ottla" and self.seconds > SOON
        check(not slow, f"a fetch waited {self.seconds:.1f} s")
        return self.answer


@exchange()
def records_come(peer):
    group, topic, topic_id = filled(peer, batches=1)
    a, b = member_of(peer, group, topic_id), member_of(peer, group, topic_id, member="b")
    yield "a has all", a.first_records()
    b.fetch(wait=100)
    waiting = Waiting(b)
    produce(peer, topic, 3)
    yield "produced", waiting.end()
    waiting = Waiting(b)
    yield "released", a.acknowledge({0: [ack(0, 4, 2)]})
    yield "given back", waiting.end()


def with_small_limits(peer):
    yield from locks(peer)
    yield from sessions(peer)


def locks(peer):
    """The lock of a record lasts a second here, and it is delivered at most twice."""
    group, topic, topic_id = filled(peer, batches=1)
    a, b = member_of(peer, group, topic_id), member_of(peer, group, topic_id, member="b")
    yield "a has all", a.first_records()
    b.fetch(wait=0)
    waiting = Waiting(b)
    yield "by an expired lock", waiting.end()
    yield "too late", a.acknowledge({0: [ack(0, 4, 1)]})
    yield "b accepts", b.acknowledge({0: [ack(0, 1, 1)]})
    waiting = Waiting(b)
    time.sleep(2)
    produce(peer, topic, 2)
    yield "the others are not delivered a third time", waiting.end()
    yield "b accepts all", b.acknowledge({0: [ack(5, 6, 1)]})
    yield "read", read(peer, group, topic_id)
    yield "summary", summary(peer, group, topic_id)
    for m in (a, b):
        m.fetch(shareSessionEpoch=-1, topics=[])


def sessions(peer):
    """There is room for three."""
    group, _, topic_id = filled_again(peer, "full")
    a, b, c, d = (member_of(peer, group, topic_id, member=m) for m in "abcd")
    for m in (a, b, c):
        yield f"{m.member} enters", m.fetch(wait=0)["errorCode"]
    for wait in (0, 700):
        began = time.monotonic()
        yield f"no room, after {wait} ms", d.fetch(wait=wait)
        check(time.monotonic() - began >= wait / 1000, f"{peer.kind}: answered at once")
    a.epoch = 0
    yield "a enters anew", a.fetch(wait=0)["errorCode"]
    yield "still no room", d.fetch(wait=0)["errorCode"]
    yield "b ends", b.fetch(shareSessionEpoch=-1, topics=[])["errorCode"]
    yield "room", d.fetch(wait=0)["errorCode"]
    yield "none again", b.fetch(wait=0, shareSessionEpoch=0)["errorCode"]


@case(seconds=180, needs=["java"])
def small_limits():
    """Both brokers with limits of their own, side by side."""
    kinds = ["kafka", os.environ.get("BROKER", "ottla")]
    with Broker(kinds[0], extra=SMALL) as first, Broker(kinds[1], extra=SMALL) as second:
        sides = [
            Side(Peer(kind, broker.start().bootstrap, "small"), with_small_limits)
            for kind, broker in zip(kinds, (first, second))
        ]
        for side in sides:
            side.start()
        for side in sides:
            side.join()
        lines, steps = compare(*sides)
        check(not lines, "\n".join(lines))
        print(f"{steps} answers are the same")


if __name__ == "__main__":
    main()
