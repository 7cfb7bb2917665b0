"""The project as the checks see it: its files, their text, the exceptions; and the list of checks."""
import json
import os
import re
import subprocess

CHECKS = {}


class Problem:
    def __init__(self, path, line, text, warning=False):
        self.path, self.line, self.text, self.warning = path, line, text, warning

    def __str__(self):
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {'warning: ' if self.warning else ''}{self.text}"


class Check:
    def __init__(self, name, about, slow, run):
        self.name, self.about, self.slow, self.run = name, about, slow, run


def check(name, about, slow=False):
    """Registers a function of the tree that yields Problems."""
    def register(run):
        CHECKS[name] = Check(name, about, slow, run)
        return run
    return register


def blank(match):
    """The same text without its letters: what a comment or string becomes, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


LITERALS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
COMMENTS = re.compile(r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|/\*.*?\*/|//[^\n]*', re.S)


class Tree:
    """root: the project. build: its build folder. seconds: what clang-tidy may take, 0 for no limit."""

    def __init__(self, root, build="build", seconds=0):
        self.root, self.build, self.seconds = root, os.path.join(root, build), seconds
        self.format_is_error = True
        self.texts, self.codes = {}, {}
        self.files = self.find_files()
        self.exceptions = self.read_exceptions()

    def find_files(self):
        """What git knows or would add; without git (an unpacked archive, the self-test) all files but what is made."""
        found = None
        if os.path.exists(os.path.join(self.root, ".git")):
            listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.root, capture_output=True, text=True,
                                    check=False)
            found = None if listed.returncode else listed.stdout.splitlines()
        if found is None:
            found = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, names in os.walk(self.root) for name in names]
        return sorted(p for p in set(found) if os.path.isfile(os.path.join(self.root, p))
                      and not re.match(r"build[^/]*/|\.git/|\.venv/|data/|.*__pycache__/", p))

    def named(self, *endings, under=""):
        return [p for p in self.files if p.endswith(endings) and p.startswith(under)]

    def c_files(self, under=""):
        return self.named(".c", ".h", under=under)

    def text(self, path):
        if path not in self.texts:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
                self.texts[path] = f.read()
        return self.texts[path]

    def code(self, path):
        """C without comments and the insides of strings; lines and columns are those of the file."""
        if path not in self.codes:
            self.codes[path] = LITERALS.sub(blank, self.text(path))
        return self.codes[path]

    def includes(self, path):
        """(line, name, quoted) of each #include."""
        text = COMMENTS.sub(lambda m: m.group(1) or blank(m), self.text(path))
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if found:
                yield number, found.group(1) or found.group(2), found.group(1) is not None

    def scripts(self, program):
        """Files in a language: by ending, or by their first line."""
        ending = {"python": ".py", "bash": ".sh"}[program]
        for path in self.files:
            name = os.path.basename(path)
            if path.endswith(ending):
                yield path
            elif "." not in name and os.access(os.path.join(self.root, path), os.X_OK):
                with open(os.path.join(self.root, path), "rb") as f:
                    if re.match(rb"#!.*\b" + program.encode(), f.readline()):
                        yield path

    # ---- exceptions: `check path[:name] [number] reason`

    def read_exceptions(self):
        found = {}
        path = "tools/lint-exceptions"
        if path not in self.files:
            return found
        for number, line in enumerate(self.text(path).splitlines(), 1):
            words = line.split(None, 2)
            if line.startswith("#") or not words:
                continue
            if len(words) < 3:
                raise SystemExit(f"{path}:{number}: an exception is: check path[:name] reason")
            found[(words[0], words[1])] = [number, words[2], False]
        return found

    def excepted(self, name, what):
        """The reason of an exception, or None. Asking marks it as used."""
        entry = self.exceptions.get((name, what))
        if entry:
            entry[2] = True
        return entry[1] if entry else None

    def unused_exceptions(self):
        for (name, what), (number, _, used) in self.exceptions.items():
            if not used:
                yield Problem("tools/lint-exceptions", number, f"{name} {what} needs no exception any more: remove the line")

    # ---- the build folder

    def commands(self):
        """{source, relative to the project: (compiler's arguments, folder)} of what the build compiles."""
        path = os.path.join(self.build, "compile_commands.json")
        if not os.path.exists(path):
            raise SystemExit(f"lint: there is no {path}: build first (make build)")
        with open(path, encoding="utf-8") as f:
            entries = json.load(f)
        return {os.path.relpath(os.path.normpath(os.path.join(e["directory"], e["file"])), self.root): (e["command"], e["directory"])
                for e in entries}
