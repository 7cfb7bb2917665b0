"""Compiles and runs Application.java with the reference's libraries."""

import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

from lib.case import Skip, bootstrap, check, run  # noqa: E402  pylint: disable=wrong-import-position


def application(protocol, guarantee, records, standbys=0, seconds=280):
    """Its last line."""
    if not shutil.which("javac"):
        raise Skip("javac is not installed")
    folder = tempfile.mkdtemp(prefix="streams-classes-")
    try:
        libraries = os.path.join(reference.LIBS, "*")
        run(["javac", "-cp", libraries, "-d", folder, os.path.join(HERE, "Application.java")])
        arguments = [bootstrap(), protocol, guarantee, str(records), str(standbys)]
        command = reference.java("Application", *arguments, heap="384m")
        command[command.index("-cp") + 1] += os.pathsep + folder
        printed = run(command, seconds=seconds)
        lines = [s for s in printed.splitlines() if s.startswith("{")]
        check(lines, "the application said nothing")
        return json.loads(lines[-1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
