"""How many connections there may be: max.connections of the node and of a listener, and of an address.
Kafka's: who has no room waits in the kernel's queue, the listener between brokers goes first, an address
with too many is refused."""

import socket

from lib import wire
from lib.broker import Broker, free_port
from lib.case import Failure, case, check, equal, main, wait_for

BROKER = 4


def answers(connection):
    return len(connection.call("Metadata", 1, topics=[])["brokers"]) == 1


def is_closed(connection):
    """A connection of which the other end is gone; one that is quiet is not."""
    connection.socket.settimeout(0)
    try:
        return connection.socket.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.socket.settimeout(20)


def ask(connection):
    """Sends a request and leaves the answer there."""
    connection.send("Metadata", 1, topics=[])


def waits(connection, seconds=0.4):
    connection.socket.settimeout(seconds)
    try:
        connection.socket.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        connection.socket.settimeout(20)
    return False


def set_all(connection, **values):
    """Dynamic values for all brokers."""
    configs = [
        {"name": key.replace("_", "."), "configOperation": 0, "value": str(value)}
        for key, value in values.items()
    ]
    resources = [{"resourceType": BROKER, "resourceName": "", "configs": configs}]
    answer = connection.call("IncrementalAlterConfigs", 1, resources=resources)["responses"][0]
    equal((answer["errorCode"], answer["errorMessage"]), (0, None), f"change to {values}")


def open_answered(bootstrap, n):
    opened = [wire.Connection(bootstrap) for _ in range(n)]
    for connection in opened:
        check(answers(connection), "a connection within the limits is served")
    return opened


@case(seconds=60, needs=())
def room_for_the_next():
    """Over max.connections nobody is refused: who comes waits until one leaves."""
    with Broker("ottla", extra={"max.connections": "3"}).start() as broker:
        first = open_answered(broker.bootstrap, 3)
        late = [wire.Connection(broker.bootstrap) for _ in range(3)]
        for connection in late:
            ask(connection)
        check(all(waits(connection) for connection in late), "no room, no answer")
        for connection in first[1:]:
            check(answers(connection), "those who are in are served")
        for leaving, coming in zip(first, late):
            leaving.close()
            check(coming.receive()["brokers"], "the next one's answer")
        for connection in late:
            check(answers(connection), "and it stays")


@case(seconds=60, needs=())
def the_limit_changes():
    """Raised, it lets in who waits; lowered, the quietest leave."""
    with Broker("ottla", extra={"max.connections": "3"}).start() as broker:
        first = open_answered(broker.bootstrap, 3)
        late = wire.Connection(broker.bootstrap)
        ask(late)
        check(waits(late), "no room")
        set_all(first[0], max_connections=4)
        check(late.receive()["brokers"], "room was made")
        everyone = [*first, late]
        for connection in (first[2], late, first[0]):
            check(answers(connection), "served")
        set_all(first[0], max_connections=2)
        wait_for(lambda: sum(is_closed(c) for c in everyone) == 2, "two leave")
        check(is_closed(first[1]) and is_closed(first[2]), "the two that were quiet for longest")
        check(answers(first[0]) and answers(late), "the others stay")
        more = wire.Connection(broker.bootstrap)
        ask(more)
        check(waits(more), "two is the limit now")


def with_two_listeners(**extra):
    """A broker with PLAINTEXT, which brokers use, and EXTERNAL; and the address of EXTERNAL."""
    broker = Broker("ottla")
    port = free_port()
    with open(broker.properties, "a", encoding="utf-8") as f:
        f.write(
            f"listeners=PLAINTEXT://127.0.0.1:{broker.port},EXTERNAL://127.0.0.1:{port},"
            f"CONTROLLER://127.0.0.1:{broker.controller_port}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{broker.port},EXTERNAL://127.0.0.1:{port}\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT\n"
            "inter.broker.listener.name=PLAINTEXT\n"
        )
        f.writelines(f"{key}={value}\n" for key, value in extra.items())
    return broker, f"127.0.0.1:{port}"


@case(seconds=60, needs=())
def a_listener_has_its_own():
    """listener.name.external.max.connections bounds that listener alone."""
    broker, external = with_two_listeners(**{"listener.name.external.max.connections": "1"})
    with broker.start():
        one = open_answered(external, 1)[0]
        two = wire.Connection(external)
        ask(two)
        check(waits(two), "one is the listener's limit")
        open_answered(broker.bootstrap, 5)
        one.close()
        check(two.receive()["brokers"], "the next one's answer")


@case(seconds=60, needs=())
def brokers_go_first():
    """The listener between brokers takes more than max.connections, and the others make room for it."""
    broker, external = with_two_listeners(**{"max.connections": "3"})
    with broker.start():
        outside = open_answered(external, 3)
        late = wire.Connection(external)
        ask(late)
        check(waits(late), "no room")
        check(answers(outside[0]), "served, and so not the quietest")
        brokers = open_answered(broker.bootstrap, 2)
        wait_for(lambda: sum(is_closed(c) for c in outside) == 2, "two make room")
        check(not is_closed(outside[0]) and answers(outside[0]), "the one that asked last stays")
        check(waits(late), "three are in, there is no room")
        brokers[0].close()
        check(late.receive()["brokers"], "there is room again")


def connect_from(address, port):
    """A connection from another address of the loopback network; True when it is served."""
    with socket.create_connection(("127.0.0.1", port), 5, source_address=(address, 0)) as s:
        try:
            s.settimeout(0.4)
            return s.recv(1) != b""
        except TimeoutError:
            return True
        except ConnectionError:
            return False


@case(seconds=60, needs=())
def an_address_has_its_own():
    """max.connections.per.ip, its overrides, and their changes at run time."""
    extra = {"max.connections.per.ip": "2", "max.connections.per.ip.overrides": "127.0.0.2:0,localhost:3"}
    with Broker("ottla", extra=extra).start() as broker:
        opened = open_answered(broker.bootstrap, 3)
        check(not connect_from("127.0.0.1", broker.port), "the fourth of localhost is refused")
        check(not connect_from("127.0.0.2", broker.port), "none is allowed from there")
        check(connect_from("127.0.0.3", broker.port), "the default is another address's")
        with socket.create_connection(("127.0.0.1", broker.port), 5, source_address=("127.0.0.3", 0)):
            check(connect_from("127.0.0.3", broker.port), "the second is allowed")
            with socket.create_connection(("127.0.0.1", broker.port), 5, source_address=("127.0.0.3", 0)):
                wait_for(lambda: not connect_from("127.0.0.3", broker.port), "the third is refused")
        opened[1].close()
        wait_for(lambda: connect_from("127.0.0.1", broker.port), "one left: there is room")
        set_all(opened[0], max_connections_per_ip_overrides="127.0.0.2:1", max_connections_per_ip=2)
        check(connect_from("127.0.0.2", broker.port), "one is allowed now")
        check(not connect_from("127.0.0.1", broker.port), "two are there, and two is the limit")
        check(answers(opened[0]) and answers(opened[2]), "who is in stays in")


if __name__ == "__main__":
    main()
