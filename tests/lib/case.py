"""A test is a function with @case in a program that ends with main(). tests/run lists the program's cases
with `--list` (a JSON object a line) and runs each in a process of its own with `NAME`: exit
status 0 passed, 1 failed, 77 skipped (the last line says why).

needs: what tests/run must have ready, see FIXTURES there. `broker` gives BOOTSTRAP, the address of a broker
that other cases use at the same time: topic and group names come from unique().
"""

import json
import os
import subprocess
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = {}
SKIPPED = 77


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Failure(Exception):
    """What a check found."""


def case(seconds=60, needs=("broker",), alone=False):
    """seconds: the limit of its run. alone: no other test may run beside it."""

    def mark(function):
        name = function.__name__.replace("_", "-")
        CASES[name] = (function, {"name": name, "seconds": seconds, "needs": list(needs), "alone": alone})
        return function

    return mark


def check(truth, message):
    if not truth:
        raise Failure(message() if callable(message) else message)


def equal(got, wanted, what):
    check(got == wanted, lambda: f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def shorten(value, most=600):
    text = repr(value)
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]} ({len(text)} characters)"


def bootstrap():
    return os.environ["BOOTSTRAP"]


def unique(name):
    return f"{name}-{os.getpid()}-{time.monotonic_ns() // 1000 % 1000000:06d}"


def wait_for(condition, what, seconds=20.0, pause=0.05):
    """Calls condition until it gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        check(time.monotonic() < end, f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)


def run(command, stdin=None, seconds=60, status=0, env=None, cwd=None):
    """Runs a command to its end and gives its standard output; fails unless it ends with that status (None:
    any)."""
    try:
        got = subprocess.run(
            [str(c) for c in command],
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    except subprocess.TimeoutExpired as e:
        output = (e.stdout or b"") + (e.stderr or b"")
        raise Failure(
            f"{shown(command)}: no end after {seconds} s\n{output.decode(errors='replace')[-3000:]}"
        ) from None
    if status is not None and got.returncode != status:
        output = (got.stdout + got.stderr).decode(errors="replace")
        raise Failure(f"{shown(command)}: status {got.returncode}, wanted {status}\n{output[-3000:]}")
    return got.stdout.decode(errors="surrogateescape")


def shown(command):
    words = [str(c) for c in command]
    return " ".join(w if len(w) < 80 else w[:30] + "…" + w[-30:] for w in words)


def main():
    args = sys.argv[1:]
    if args == ["--list"]:
        for _, about in CASES.values():
            print(json.dumps(about))
        return
    if len(args) != 1 or args[0] not in CASES:
        sys.exit(
            f"usage: {sys.argv[0]} --list | NAME, with BOOTSTRAP=host:port; NAME is one of {', '.join(CASES)}"
        )
    try:
        CASES[args[0]][0]()
    except Skip as e:
        print(e)
        sys.stdout.flush()
        os._exit(SKIPPED)
    except Exception as e:  # pylint: disable=broad-except
        if isinstance(e, Failure):
            where = traceback.extract_tb(e.__traceback__)
            lines = [
                f"{os.path.relpath(f.filename, ROOT)}:{f.lineno}"
                for f in where
                if not f.filename.endswith("lib/case.py")
            ]
            print(f"{' < '.join(reversed(lines))}: {e}")
        else:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(1)  # client libraries keep threads that would hold the process
    sys.stdout.flush()
    os._exit(0)
