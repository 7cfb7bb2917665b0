"""The borders between the folders of src/ (DESIGN.md, section 3): who may include whom. Before widening a row, think whether the
thing that is wanted should rather move down."""
import os
import re

from .tree import Problem, check

# From the bottom up. A folder may include itself and everything on a lower level.
LEVELS = [
    ["base"],
    ["io", "wire", "config", "metrics"],
    ["record"],
    ["storage", "metadata", "raft", "security", "quota"],
    ["client", "tiered", "kraft", "controller"],
    ["replica"],
    ["coord", "group", "share", "txn"],
    ["server"],
    ["http", "addons", "console", "cli"],
    ["main"],
]
LEVEL = {folder: n for n, level in enumerate(LEVELS) for folder in level}

# On the same level only these, each for a reason.
SIDEWAYS = {
    ("kraft", "controller"): "the node feeds the pure controller with events and replays its records",
    ("metrics", "wire"): "labels are strings as messages have them",
    ("coord", "group"): "the runtime drives the pure cores",
    ("coord", "share"): "the runtime drives the pure cores",
    ("coord", "txn"): "the runtime drives the pure cores",
}

# Narrower than their level: pure protocol (no I/O, no clock), and what must see a broker only as a client does.
PURE = {"base", "wire", "metadata", "record", "config"}
CLIENT_SIDE = {"base", "io", "wire", "record", "config", "client"}
NARROW = {"raft": PURE, "controller": PURE, "group": PURE, "share": PURE, "txn": PURE,
          "addons": CLIENT_SIDE, "console": CLIENT_SIDE, "cli": CLIENT_SIDE, "main": {"base", "cli"}}

# Files that may reach further than their folder.
WIDER = {
    "src/cli/server.c": {"server", "http"},       # starts the server
    "src/cli/log.c": {"storage", "metadata"},     # reads segments and the metadata log
    "src/cli/feature.c": {"metadata"},            # knows the levels of features of this release
    "src/cli/storage.c": {"storage", "metadata", "kraft"},  # formats a data directory
}

# Headers that the build makes, and the folder that they belong to.
GENERATED = [(r"api/\w+\.h", "wire"), (r"records/\w+\.h", "wire"), (r"kerr_list\.h", "base"), (r"config_\w+\.h", "config"),
             (r"metric_\w+\.h", "metrics")]

# Only io/ talks to the operating system, so that everything above it runs in the simulator. cli/ and main.c may see the terminal.
SYSTEM_HEADERS = re.compile(r"sys/\w+\.h|unistd\.h|fcntl\.h|dirent\.h|netdb\.h|netinet/\w+\.h|poll\.h|time\.h|signal\.h")
HARMLESS_SYSTEM_HEADERS = {"sys/uio.h", "sys/types.h"}  # struct iovec, ssize_t
TERMINAL = {"io", "cli", "main"}

# Kafka's error codes are made by server/ and by the protocol's cores; what lies below returns enum oerr.
NO_KERR = {"io", "record", "storage", "metrics", "raft"}


def folder_of(path):
    """src/storage/log.c → storage; src/main.c → main; src/server/handlers/produce.c → server"""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else parts[1].split(".")[0]


def owner(tree, name):
    """The folder that an included name belongs to; None: there is no such file."""
    if "src/" + name in tree.files:
        return folder_of("src/" + name)
    for pattern, folder in GENERATED:
        if re.fullmatch(pattern, name):
            return folder
    return None


def judge(path, folder, other):
    """Why this include is wrong, or None."""
    wider = set()
    for prefix, folders in WIDER.items():
        if path in (prefix, prefix[:-1] + "h") or path.startswith(prefix[:-2] + "_"):
            wider |= folders
    if other == folder or any(other == w or LEVEL[other] < LEVEL[w] for w in wider):
        return None
    if folder in NARROW and other not in NARROW[folder]:
        return f"{folder}/ may include {', '.join(sorted(NARROW[folder]))} only"
    if LEVEL[other] > LEVEL[folder]:
        return f"{folder}/ lies below {other}/ and may not include it"
    if LEVEL[other] == LEVEL[folder] and (folder, other) not in SIDEWAYS:
        return f"{folder}/ and {other}/ are on one level; an include between them needs a reason in SIDEWAYS"
    return None


@check("borders", "includes go only down the table of folders; only io/ sees the operating system")
def borders(tree):
    for path in tree.c_files("src/"):
        folder = folder_of(path)
        if folder not in LEVEL:
            yield Problem(path, 0, f"folder {folder}/ is not in the table of tools/linting/borders.py")
            continue
        for line, name, quoted in tree.includes(path):
            if not quoted:
                if SYSTEM_HEADERS.fullmatch(name) and name not in HARMLESS_SYSTEM_HEADERS and folder not in TERMINAL \
                        and not tree.excepted("borders", f"{path}:{name}"):
                    yield Problem(path, line, f"<{name}>: only io/ calls the operating system")
                continue
            other = owner(tree, name)
            if other is None:
                yield Problem(path, line, f'"{name}" is neither in src/ nor a header that the build makes')
                continue
            why = judge(path, folder, other) if other in LEVEL else f"folder {other}/ is not in the table"
            if not why and name == "base/kerr.h" and folder in NO_KERR:
                why = f"{folder}/ returns enum oerr; Kafka's error codes are made above it"
            if not why and path.startswith("src/server/handlers/") and re.match(r"server/handlers/\w+\.h", name) \
                    and not name.endswith(("/" + os.path.basename(path)[:-1] + "h", "/handlers.h")):
                why = "a handler includes no other handler"
            if why and not tree.excepted("borders", f"{path}:{name}"):
                yield Problem(path, line, f'"{name}": {why}')


@check("cycles", "no header includes itself by way of others")
def cycles(tree):
    graph = {p: [f"src/{name}" for _, name, quoted in tree.includes(p) if quoted and f"src/{name}" in tree.files]
             for p in tree.named(".h", under="src/")}
    done, path = set(), []

    def visit(header):
        if header in path:
            yield Problem(header, 0, "includes itself: " + " → ".join([*path[path.index(header):], header]))
            return
        if header in done:
            return
        path.append(header)
        for other in graph.get(header, []):
            yield from visit(other)
        path.pop()
        done.add(header)

    for header in graph:
        yield from visit(header)
