"""Checks that need the build folder: headers that compile alone, no state outside of structs."""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import tempfile

from .tree import Problem, check


class Cache:
    """What was found clean, kept in the build folder as one JSON file: {key: value}."""

    def __init__(self, tree, name):
        self.path = os.path.join(tree.build, f"lint-{name}.json")
        try:
            with open(self.path, encoding="utf-8") as f:
                self.kept = json.load(f)
        except (OSError, ValueError):
            self.kept = {}

    def save(self, values):
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump(values, f)
        os.replace(self.path + ".new", self.path)


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        yield from pool.map(function, items)


def compiler(tree):
    """The compiler and its arguments for a file of src/, without input and output, and the folder to run in."""
    command, folder = next(value for path, value in sorted(tree.commands().items()) if path.startswith("src/"))
    words, kept, skip = shlex.split(command), [], False
    for word in words:
        if not skip and not word.endswith((".c", ".o")) and word not in ("-c", "-MD", "-MQ", "-MF", "-o"):
            kept.append(word)
        skip = word in ("-MQ", "-MF", "-o")
    return kept, folder


def stamp(paths):
    """Changes when one of the files does."""
    try:
        return [int(max(os.stat(p).st_mtime_ns for p in paths)), len(paths)]
    except OSError:
        return None


@check("headers", "each header compiles alone", slow=True)
def headers(tree):
    arguments, folder = compiler(tree)
    cache, clean = Cache(tree, "headers"), {}

    def look(path):
        known = cache.kept.get(path)
        if known and known[0] == arguments and known[1] == stamp(known[2]):
            return path, known, None
        with tempfile.NamedTemporaryFile("r", suffix=".d") as rule:
            got = subprocess.run([*arguments, "-x", "c", "-fsyntax-only", "-Wno-unused-function", "-MD", "-MF", rule.name,
                                  os.path.join(tree.root, path)], cwd=folder, capture_output=True, text=True, check=False)
            needs = [os.path.join(folder, word) for word in rule.read().replace("\\\n", " ").split()[1:]]
        return path, [arguments, stamp(needs), needs], got.stderr if got.returncode else None

    for path, entry, wrong in in_parallel(look, tree.named(".h", under="src/")):
        if wrong is None:
            clean[path] = entry
        elif not tree.excepted("headers", path):
            errors = [line for line in wrong.splitlines() if "error" in line] or ["does not compile"]
            yield Problem(path, 0, "does not compile alone: " + errors[0].split("error:")[-1].strip())
    cache.save(clean)


MUTABLE = re.compile(r"\.(data|bss|tbss|tdata)(?!\.rel\.ro)\b")


@check("globals", "no state outside of structs (base/log.c's level excepted)", slow=True)
def global_state(tree):
    """Reads the symbols of the library: objects in sections that can be written."""
    library = os.path.join(tree.build, "libottla.a")
    got = subprocess.run(["objdump", "-t", library], capture_output=True, text=True, check=False)
    if got.returncode:
        yield Problem(library, 0, got.stderr.strip() or "objdump failed")
    source = library
    for line in got.stdout.splitlines():
        if line.endswith("file format elf64-x86-64") or ":     file format" in line:
            source = os.path.basename(line.split(":")[0]).removesuffix(".o").replace("_", "/", 2)
        found = re.match(r"[0-9a-f]+ .{6}[O ] (\S+)\s+(?!0+ )[0-9a-f]+ (?:\.hidden )?(\S+)", line)
        if not found or not MUTABLE.match(found.group(1)):
            continue
        name = re.sub(r"\.\d+$", "", found.group(2))
        if name.startswith("__") or name == "log_site_here":
            continue  # what sanitizers and coverage add; the count of a LOG_LIMITED
        if not tree.excepted("globals", f"{source}:{name}"):
            yield Problem(source, 0, f"{name} is state outside of any struct ({found.group(1)})")
