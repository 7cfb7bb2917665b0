"""Checks that read sources: lengths, marks, banned functions, names of machines, dead files, names in documents."""
import os
import re
import subprocess

from .tree import Problem, check

LINE = {".c": 110, ".h": 110, "other": 150}
FILE_LINES = 1500
FUNCTION_WARN, FUNCTION_MOST = 100, 150

BANNED = {
    "strcpy": "does not know the size of its target: memcpy, snprintf or strbuf",
    "strcat": "does not know the size of its target: strbuf",
    "strncpy": "may leave the target without its end: memcpy or snprintf",
    "strncat": "its size argument is always misread: strbuf",
    "sprintf": "does not know the size of its target: snprintf or strbuf_printf",
    "vsprintf": "does not know the size of its target: vsnprintf",
    "stpcpy": "does not know the size of its target: memcpy",
    "gets": "does not know the size of its target",
    "strtok": "keeps a hidden state: strcspn, or strtok_r",
    "alloca": "a stack of unknown depth: an arena",
    "atoi": "no sign of an error: strtol with its checks",
    "atol": "no sign of an error: strtol with its checks",
    "atoll": "no sign of an error: strtoll with its checks",
    "atof": "no sign of an error: strtod with its checks",
    "rand": "one hidden state for all: base/random.h with a seed",
    "srand": "one hidden state for all: base/random.h with a seed",
    "random": "one hidden state for all: base/random.h with a seed",
    "localtime": "one hidden buffer for all threads: localtime_r",
    "gmtime": "one hidden buffer for all threads: gmtime_r",
    "ctime": "one hidden buffer for all threads: strftime",
    "asctime": "one hidden buffer for all threads: strftime",
    "setjmp": "errors are returned",
    "longjmp": "errors are returned",
    "system": "a shell",
    "popen": "a shell",
    "assert": "is compiled out by NDEBUG: ASSERT of base/assert.h",
    "tmpnam": "a race: mkstemp",
    "mktemp": "a race: mkstemp",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")

MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# A path of somebody's machine, or the host of a registry: neither is the same elsewhere.
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/\w|\b(?:repo1?\.maven\.(?:org|apache\.org)|proxy\.golang\.org|"
                     r"pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org)\b")
OWN = "tools/linting/"  # names what it looks for


@check("banned", "no function that C should not have had")
def banned(tree):
    for path in tree.c_files("src/") + tree.c_files("bench/"):
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            for found in BANNED_CALL.finditer(line):
                name = found.group(1)
                if not tree.excepted("banned", f"{path}:{name}"):
                    yield Problem(path, number, f"{name}: {BANNED[name]}")


def is_text(path):
    return path.endswith((".c", ".h", ".py", ".md", "meson.build", ".txt", ".xml", ".java", ".js", ".go", ".json")) \
        or "." not in os.path.basename(path)


@check("lines", f"lines of C up to {LINE['.c']} characters, of scripts up to {LINE['other']}; files up to {FILE_LINES} lines; no tabs")
def lines(tree):
    scripts = set(tree.scripts("python")) | set(tree.scripts("bash"))
    for path in tree.files:
        ending = os.path.splitext(path)[1]
        if ending not in (".c", ".h") and path not in scripts:
            continue
        most = LINE.get(ending, LINE["other"])
        all_lines = tree.text(path).split("\n")
        for number, line in enumerate(all_lines, 1):
            if len(line) > most and not tree.excepted("lines", path):
                yield Problem(path, number, f"{len(line)} characters; the limit is {most}",
                              warning=ending in (".c", ".h") and not tree.format_is_error)
            if line.rstrip() != line:
                yield Problem(path, number, "space at the end of the line")
            if "\t" in line:
                yield Problem(path, number, "a tab; indent with spaces")
        if len(all_lines) > FILE_LINES:
            yield Problem(path, 0, f"{len(all_lines)} lines; the limit is {FILE_LINES}: split it where its state splits")


def functions(code):
    """(name, first line, lines) of each function: from its opening brace to the closing brace in column 0."""
    all_lines = code.splitlines()
    start, name = None, None
    for number, line in enumerate(all_lines, 1):
        if start is None:
            if not line.rstrip().endswith("{") or line[:1] in " \t#}" and not line.startswith(" "):
                continue
            signature = line
            above = number - 2
            while signature[:1] == " " and above >= 0 and all_lines[above].strip():
                signature = all_lines[above] + " " + signature
                above -= 1
            if signature[:1] in " #}" or re.match(r"(typedef )?(struct|enum|union) \w*\s*\{", signature) or "=" in signature.split("(")[0]:
                continue
            called = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", signature))
            if called:
                start, name = number, called.group(1)
        elif line.startswith("}"):
            yield name, start, number - start
            start = None


@check("functions", f"functions over {FUNCTION_WARN} lines are warned about, over {FUNCTION_MOST} fail")
def function_lengths(tree):
    for path in tree.named(".c", ".h"):
        for name, line, length in functions(tree.code(path)):
            if length <= FUNCTION_WARN:
                continue
            reason = tree.excepted("functions", f"{path}:{name}")
            allowed = int(reason.split()[0]) if reason else 0
            if length > allowed and (reason or length > FUNCTION_MOST):
                yield Problem(path, line, f"{name} has {length} lines; the limit is {allowed or FUNCTION_MOST}")
            elif not reason:
                yield Problem(path, line, f"{name} has {length} lines: split it", warning=True)


@check("marks", "nothing is left to do later; no path of a machine, no host of a registry")
def marks(tree):
    for path in tree.files:
        if path.startswith(OWN) or not is_text(path):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            found = MARKS.search(line)
            if found and not tree.excepted("marks", path):
                yield Problem(path, number, f"{found.group(1)}: do it, or open an issue")
            found = MACHINE.search(line)
            if found and not tree.excepted("marks", path):
                yield Problem(path, number, f"'{found.group(0)}' belongs to one machine")


def meson_names(tree):
    """Every word in quotes of the meson.build files, by folder."""
    return {os.path.dirname(p): set(re.findall(r"'([^'\n]+)'", tree.text(p))) for p in tree.named("meson.build")}


@check("dead", "every source is built, every header included, every test listed, every file named in a document is there")
def dead(tree):
    named = meson_names(tree)
    everywhere = set().union(*named.values()) if named else set()
    included = {name for p in tree.c_files() for _, name, quoted in tree.includes(p) if quoted}
    included |= {os.path.normpath(os.path.join(os.path.dirname(p), name)) for p in tree.c_files()
                 for _, name, quoted in tree.includes(p) if quoted}
    for path in tree.c_files():
        if not path.startswith(("src/", "tests/unit/", "tests/wire/", "tests/crash/", "tests/fuzz/", "bench/")):
            continue
        folder, name = os.path.split(path)
        if path.endswith(".h"):
            if path not in included and path.removeprefix("src/") not in included and not tree.excepted("dead", path):
                yield Problem(path, 0, "no file includes this header")
        elif name not in named.get(folder, ()) and path not in everywhere and os.path.splitext(name)[0] not in everywhere \
                and name.removeprefix("fuzz_")[:-2] not in named.get(folder, ()) \
                and not any(n.endswith("/" + name) for n in everywhere) and path not in included and not tree.excepted("dead", path):
            yield Problem(path, 0, "no meson.build names this file: it is not built")
    for path in tree.named(".md"):
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for name in re.findall(r"`((?:src|tests|tools|gen|schema|bench|docs|\.ci)/[\w./-]*\w/?)`", line):
                if not os.path.exists(os.path.join(tree.root, name)) and not tree.excepted("dead", f"{path}:{name}"):
                    yield Problem(path, number, f"there is no {name}")


@check("scripts", "Python and shell scripts are at least of right syntax")
def scripts(tree):
    for path in tree.scripts("python"):
        try:
            compile(tree.text(path), path, "exec")
        except SyntaxError as e:
            yield Problem(path, e.lineno, e.msg)
    for path in tree.scripts("bash"):
        got = subprocess.run(["bash", "-n", path], cwd=tree.root, capture_output=True, text=True, check=False)
        if got.returncode:
            yield Problem(path, 0, got.stderr.strip().splitlines()[-1])
