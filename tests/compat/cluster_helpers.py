"""A scenario against two brokers of its own."""

from exchange import Peer, Side, compare
from lib.case import Failure


def both(scenario, kafka, ottla):
    """A scenario against two brokers of its own."""
    prefix = scenario.__name__.replace("_", "-")
    sides = [Side(Peer(b.kind, b.bootstrap, prefix), scenario) for b in (kafka, ottla)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    lines, steps = compare(*sides)
    if lines:
        raise Failure(f"{len(lines)} differences in {steps} answers\n" + "\n".join(lines[:40]))
    print(f"{steps} answers are the same")
