"""Every check must be able to fail: a small tree for each that it must complain about in these words, and a good one that passes."""
import os
import subprocess
import tempfile

from .tree import CHECKS, Tree

MESON = "ottla_src += files('a.c', 'b.c')\n"
GOOD = {
    "src/base/a.h": "#ifndef A_H\n#define A_H\nint a_twice(int x);\n#endif\n",
    "src/base/a.c": '#include "base/a.h"\n\n/* strcpy(a, b) in a comment is no call. */\n'
                    'int a_twice(int x) {\n    return x + x;\n}\n',
    "src/base/meson.build": MESON,
    ".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\nAllowShortFunctionsOnASingleLine: None\n",
    ".clang-tidy": "Checks: '-*,bugprone-infinite-loop,clang-analyzer-core.*'\nWarningsAsErrors: '*'\n",
}
A = 'int a_twice(int x) {\n    return x + x;\n}\n'

# (check, what the tree differs in, a part of the complaint)
BAD = [
    ("borders", {"src/base/b.c": '#include "io/c.h"\n', "src/io/c.h": ""}, "lies below io/"),
    ("borders", {"src/group/b.c": '#include "io/c.h"\n', "src/io/c.h": ""}, "group/ may include"),
    ("borders", {"src/cli/b.c": '#include "storage/c.h"\n', "src/storage/c.h": ""}, "cli/ may include"),
    ("borders", {"src/raft/b.c": '#include "base/gone.h"\n'}, "neither in src/"),
    ("borders", {"src/storage/b.c": '#include "metadata/c.h"\n', "src/metadata/c.h": ""}, "on one level"),
    ("borders", {"src/storage/b.c": '#include "base/kerr.h"\n', "src/base/kerr.h": ""}, "returns enum oerr"),
    ("borders", {"src/storage/b.c": "#include <unistd.h>\n"}, "only io/"),
    ("borders", {"src/odd/b.c": "int x;\n"}, "not in the table"),
    ("borders", {"src/server/handlers/b.c": '#include "server/handlers/c.h"\n', "src/server/handlers/c.h": ""}, "no other handler"),
    ("cycles", {"src/base/b.h": '#include "base/c.h"\n', "src/base/c.h": '#include "base/b.h"\n'}, "includes itself"),
    ("banned", {"src/base/b.c": "void f(char *a) { strcpy(a, 0); }\n"}, "strcpy"),
    ("banned", {"src/base/b.c": "int f(char *a) { return atoi (a); }\n"}, "atoi"),
    ("lines", {"src/base/b.c": "int " + "x" * 110 + ";\n"}, "characters"),
    ("lines", {"src/base/b.c": "int x; \n"}, "space at the end"),
    ("lines", {"src/base/b.c": "\n" * 1501}, "the limit is 1500"),
    ("functions", {"src/base/b.c": "int f(int x,\n      int y) {\n" + "    x++;\n" * 151 + "    return x;\n}\n"}, "f has 153 lines"),
    ("marks", {"src/base/b.c": "/* TO" "DO: more */\n"}, "do it"),
    ("marks", {"src/base/b.c": '#define A "/ro' 'ot/x"\n'}, "one machine"),
    ("dead", {"src/base/c.c": A}, "not built"),
    ("dead", {"src/base/c.h": ""}, "no file includes"),
    ("dead", {"README.md": "See `src/base/gone.c`.\n"}, "there is no src/base/gone.c"),
    ("scripts", {"tools/x.py": "def f(:\n"}, "invalid syntax"),
    ("scripts", {"tools/x.sh": "if true; then\n"}, "syntax error"),
    ("headers", {"src/base/c.h": "struct thing x(void);\nint y(uint8_t z);\n"}, "does not compile alone"),
    ("globals", {"src/base/b.c": "static int calls;\nint b(void);\nint b(void) { return ++calls; }\n"}, "calls is state"),
    ("globals", {"src/base/b.c": "int b(void);\nint b(void) { static _Thread_local int n = 3; return ++n; }\n"}, "n is state"),
    ("format", {"src/base/b.c": "int  f( int x ){return x;}\n"}, "clang-format"),
    ("tidy", {"src/base/b.c": "int b(void);\nint b(void) {\n    int *p = 0;\n    return *p;\n}\n"}, "Dereference of null"),
    ("cppcheck", {"src/base/b.c": "int b(void);\nint b(void) {\n    int x[2] = {0, 0};\n    return x[2];\n}\n"}, "out of bounds"),
]
EXCEPTED = {"tools/lint-exceptions": "banned src/base/b.c:atoi because this is a test\n",
            "src/base/b.c": "int f(char *a) { return atoi(a); }\n"}
UNUSED = {"tools/lint-exceptions": "banned src/base/b.c:atoi because this is a test\n"}
PRODUCTS = ("headers", "globals", "tidy")


def make(root, files):
    for path, text in files.items():
        target = os.path.join(root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as f:
            f.write(text)


def build(root, tree):
    """What Meson would leave behind: compile_commands.json and the library."""
    folder = os.path.join(root, "build")
    os.makedirs(folder, exist_ok=True)
    entries, objects = [], []
    for path in tree.named(".c", under="src/"):
        objects.append(os.path.join(folder, path.replace("/", "_") + ".o"))
        command = f"cc -I{root}/src -std=gnu17 -fPIE -c {root}/{path} -o {objects[-1]}"
        subprocess.run(command.split(), check=True, capture_output=True)
        entries.append(f'{{"directory": "{folder}", "file": "{root}/{path}", "command": "{command}"}}')
    make(folder, {"compile_commands.json": "[" + ",".join(entries) + "]"})
    subprocess.run(["ar", "csrD", os.path.join(folder, "libottla.a"), *objects], check=True)


def complaints(name, files):
    """What the check says about a tree of these files and the good ones."""
    with tempfile.TemporaryDirectory() as root:
        make(root, {**GOOD, **files})
        tree = Tree(root)
        if name in PRODUCTS:
            build(root, tree)
        os.makedirs(tree.build, exist_ok=True)
        return [str(p) for p in CHECKS[name].run(tree)] + [str(p) for p in tree.unused_exceptions()]


def run():
    failed = 0

    def expect(right, what, said):
        nonlocal failed
        if not right:
            failed += 1
            print(f"FAIL {what}: " + ("\n     ".join(said) or "no complaint"))

    for name in CHECKS:
        said = complaints(name, {})
        expect(not said, f"{name} complains about good code", said)
    for name, files, words in BAD:
        said = complaints(name, files)
        expect(any(words in s for s in said), f"{name} should say '{words}'", said)
    for name in set(CHECKS) - {name for name, _, _ in BAD}:
        expect(False, f"{name} has no bad example", [])
    expect(not complaints("banned", EXCEPTED), "an exception is respected", complaints("banned", EXCEPTED))
    expect(any("needs no exception" in s for s in complaints("banned", UNUSED)), "an unused exception is a problem", [])
    print(f"lint self-test: {len(CHECKS) + len(BAD) + 2 - failed} passed, {failed} failed")
    return 1 if failed else 0
