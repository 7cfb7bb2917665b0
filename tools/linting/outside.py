"""Other people's checkers: clang-format, clang-tidy (rules in .clang-tidy), cppcheck. Clean results are kept in the build folder
under a hash of everything that they depend on, so a second run looks only at what changed."""
import hashlib
import os
import re
import shutil
import subprocess
import threading
import time

from .products import Cache, in_parallel
from .tree import Problem, check

# What cppcheck says and we do not want: GNU C defines it (shifts); clang's analyzer sees it better, which knows that ASSERT and fail()
# do not return (null pointers, uninitialized variables); or it is about cppcheck itself.
CPPCHECK_QUIET = ["missingIncludeSystem", "missingInclude", "unmatchedSuppression", "normalCheckLevelMaxBranches", "checkersReport",
                  "internalAstError", "uninitvar", "ctuuninitvar", "shiftNegativeLHS", "shiftTooManyBitsSigned", "nullPointer",
                  "ctunullpointer", "nullPointerRedundantCheck", "nullPointerArithmetic", "nullPointerArithmeticRedundantCheck"]


def program(name, *versions):
    """The program, plain or with a version's suffix; None."""
    return next((found for found in map(shutil.which, [name, *[f"{name}-{v}" for v in versions]]) if found), None)


def absent(name):
    return Problem("lint", 0, f"{name} is not installed (make deps): not checked")


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@check("format", "clang-format agrees", slow=True)
def format_(tree):
    tool = program("clang-format", "14", "15", "16", "18", "19")
    if not tool:
        yield absent("clang-format")
        return
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    cache, clean = Cache(tree, "format"), {}
    style = tree.text(".clang-format") if ".clang-format" in tree.files else ""

    def look(path):
        key = digest(version, style, tree.text(path))
        if cache.kept.get(path) == key:
            return path, key, None
        got = subprocess.run([tool, "--dry-run", "-Werror", path], cwd=tree.root, capture_output=True, text=True, check=False)
        return path, key, got.stderr if got.returncode else None

    for path, key, wrong in in_parallel(look, tree.c_files()):
        if wrong is None:
            clean[path] = key
        else:
            found = re.findall(r"^\S*?:(\d+):\d+: error: code should be", wrong, re.M)
            yield Problem(path, int(found[0]) if found else 0, f"clang-format writes {max(1, len(found))} places otherwise (make format)",
                          warning=not tree.format_is_error)
    cache.save(clean)


def needs_of(tree, commands):
    """{source: [files of the project and of the build that it includes]}, as the build's own records say."""
    got = subprocess.run(["ninja", "-C", tree.build, "-t", "deps"], capture_output=True, text=True, check=False)
    needs, current = {}, None
    for line in got.stdout.splitlines():
        if line.startswith("    "):
            path = os.path.normpath(os.path.join(tree.build, line.strip()))
            if path.startswith(tree.root + os.sep):
                current.append(path)
        elif ": #deps" in line:
            current = needs.setdefault(line.split(":")[0], [])
    found = {}
    for paths in needs.values():
        source = next((os.path.relpath(p, tree.root) for p in paths if p.endswith(".c")), None)
        if source in commands:
            found[source] = paths
    return found


@check("tidy", "clang-tidy finds nothing (rules in .clang-tidy)", slow=True)
def tidy(tree):
    tool = program("clang-tidy", "14", "15", "16", "18", "19")
    if not tool:
        yield absent("clang-tidy")
        return
    commands, contents = tree.commands(), {}
    needs = needs_of(tree, commands)
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    rules = tree.text(".clang-tidy") if ".clang-tidy" in tree.files else ""
    cache, lock = Cache(tree, "tidy"), threading.Lock()

    def content(path):
        if path not in contents:
            with open(path, encoding="utf-8", errors="replace") as f:
                contents[path] = digest(f.read())
        return contents[path]

    def key(path):
        return digest(version, rules, commands[path][0], *[content(p) for p in needs.get(path, [os.path.join(tree.root, path)])])

    keys = {p: key(p) for p in commands if p.startswith("src/") and p in tree.files}
    known = {p: k for p, k in keys.items() if cache.kept.get(p) == k}
    end = time.monotonic() + tree.seconds if tree.seconds else float("inf")

    def look(path):
        if time.monotonic() > end:
            return path, None
        got = subprocess.run([tool, "--quiet", "-p", tree.build, "--extra-arg=-Wno-unknown-warning-option",
                              os.path.join(tree.root, path)], cwd=tree.root, capture_output=True, text=True, check=False)
        found = re.findall(r"^(\S+?):(\d+):\d+: (?:error|warning): (.*)$", got.stdout, re.M)
        if got.returncode and not found:
            found = [(path, 0, (got.stderr.strip().splitlines() or ["clang-tidy failed"])[-1])]
        if not found:
            with lock:
                known[path] = keys[path]
        return path, found

    left, said = 0, set()
    for path, found in in_parallel(look, sorted(set(keys) - set(known))):
        left += found is None
        for where, line, text in found or ():
            where = os.path.relpath(os.path.normpath(os.path.join(tree.build, where)), tree.root)
            text = text.replace(",-warnings-as-errors", "")
            if (where, line, text) not in said:
                said.add((where, line, text))
                yield Problem(where, int(line), text)
    cache.save(known)
    if left:
        yield Problem("lint", 0, f"clang-tidy: {left} of {len(keys)} files not looked at within {tree.seconds:g} s; the next run goes on",
                      warning=True)


@check("cppcheck", "cppcheck finds no error", slow=True)
def cppcheck(tree):
    tool = program("cppcheck")
    if not tool:
        yield absent("cppcheck")
        return
    sources = tree.named(".c", under="src/") + tree.named(".c", under="bench/")
    if not sources:
        return
    kept = os.path.join(tree.build, "cppcheck")
    os.makedirs(kept, exist_ok=True)
    got = subprocess.run([tool, "--quiet", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
                          "-I", "src", "-I", os.path.join(tree.build, "gen"), "-D__x86_64__", "-j", str(os.cpu_count() or 2),
                          f"--cppcheck-build-dir={kept}", "--template={file}:{line}: {message} [{id}]",
                          *[f"--suppress={s}" for s in CPPCHECK_QUIET], *sources],
                         cwd=tree.root, capture_output=True, text=True, check=False)
    for line in sorted(set(got.stderr.splitlines())):
        found = re.match(r"(\S+?):(\d+): (.*)$", line)
        if found:
            yield Problem(found.group(1), int(found.group(2)), found.group(3))
        elif line.strip():
            yield Problem("cppcheck", 0, line)
