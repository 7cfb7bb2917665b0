"""Reads schema/api and schema/records into Python objects. The notation, one thing a line:

    api KEY NAME [listeners=a,b] [unstable]     the request and response below belong to this API; `unstable`:
                                                its last version is not advertised
    request|response VERSIONS [flexible=VERSIONS]
    header|data NAME VERSIONS [flexible=...]    a message that is found by its name
    record|key|value TYPE NAME VERSIONS [...]   a record that is found by its family (the file), kind and type
      FIELD TYPE [VERSIONS] [null[=VERSIONS]] [default=X] [tag=N] [tagged=VERSIONS] [flexible=VERSIONS]
            [entity=X]                          all in one line
        FIELD ...                               the fields of the struct that the line above names as its type
      struct NAME [VERSIONS]                    a struct that several fields of this message use

Nesting is by two spaces. VERSIONS is `3`, `3-5`, `3+` or `none`. Left out, a field's are `0+`; `null` and
`tagged` without versions are the field's own. TYPE is bool, int8..int64, uint16, uint32, float64, uuid,
string, bytes, records, a struct, or [] and one of these. `flexible` of a field overrules the message's.
A field without `default` begins as zero, false or empty.
"""

import os
import re

LAST = 32767  # the largest version: what `3+` ends with
NONE = (0, -1)
FIXED = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "float64": 8,
    "uuid": 16,
}
PRIMITIVE = set(FIXED) | {"string", "bytes", "records"}


class Error(Exception):
    """A line of a schema file that cannot be understood."""


class Field:
    """type is in PRIMITIVE or a struct's name; of is that Struct, else None. Ranges are (first, last)."""

    def __init__(self, name, kind, versions=(0, LAST)):
        self.name, self.versions = name, versions
        self.array = kind.startswith("[]")
        self.type = kind[2:] if self.array else kind
        self.of = None
        self.nullable, self.tag, self.tagged, self.flexible = NONE, None, NONE, None
        self.default, self.entity = "", ""
        self.inline = []  # fields defined below this one, before they become the Struct `of`

    @property
    def default_null(self):
        return self.default == "null"


class Struct:
    def __init__(self, name, versions, fields=None):
        self.name, self.versions, self.fields = name, versions, fields if fields is not None else []
        self.uses = []  # of a struct that several fields use: their versions


class Message(Struct):
    """kind: request, response, header, data, record, key, value. type: the API key or record type, None for
    header and data. file: its schema file, for records the family. structs: all it uses, innermost first.
    """

    def __init__(self, name, kind, number, versions, flexible, file):
        super().__init__(name, versions)
        self.kind, self.type, self.flexible, self.file = kind, number, flexible, file
        self.common, self.structs = [], []
        self.api = None


class Api:
    def __init__(self, key, name, listeners, unstable):
        self.key, self.name, self.listeners, self.unstable = key, name, listeners, unstable
        self.request = self.response = None


def parse_versions(text):
    if text == "none":
        return NONE
    found = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not found:
        raise Error(f"'{text}' is not a range of versions")
    first = int(found[1])
    return first, LAST if found[2] == "+" else int(found[3]) if found[3] else first


def meet(a, b):
    """The versions in both ranges."""
    both = max(a[0], b[0]), min(a[1], b[1])
    return both if both[0] <= both[1] else NONE


def within(versions, version):
    return versions[0] <= version <= versions[1]


def snake(name):
    name = name.replace("KRaft", "Kraft").replace("kRaft", "kraft")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parse_field(words):
    if len(words) < 2:
        raise Error("a field needs a name and a type")
    name, kind, *options = words
    versions = parse_versions(options.pop(0)) if options and re.match(r"\d|none$", options[0]) else (0, LAST)
    field = Field(name, kind, versions)
    for word in options:
        key, _, value = word.partition("=")
        if key == "null":
            field.nullable = parse_versions(value) if value else versions
        elif key == "default":
            field.default = value
        elif key == "tag":
            field.tag, field.tagged = int(value), versions if field.tagged == NONE else field.tagged
        elif key == "tagged":
            field.tagged = parse_versions(value)
        elif key == "flexible":
            field.flexible = parse_versions(value)
        elif key == "entity":
            field.entity = value
        else:
            raise Error(f"'{word}' is not known")
    return field


def resolve(message, fields, versions):
    """Joins fields with their structs, gathers message.structs, narrows a struct's versions to its uses."""
    names = {s.name: s for s in message.common}
    for field in fields:
        used = meet(versions, field.versions)
        if field.inline:
            field.of = Struct(field.type, used, field.inline)
        elif field.type not in PRIMITIVE:
            if field.type not in names:
                raise Error(f"{message.name}.{field.name}: there is no type {field.type}")
            field.of = names[field.type]
            field.of.uses += [used] if used != NONE else []
            if used != NONE:
                used = min(u[0] for u in field.of.uses), max(u[1] for u in field.of.uses)
                field.of.versions = used
        if field.of:
            resolve(message, field.of.fields, used)
            if field.of not in message.structs:
                message.structs.append(field.of)


class Parser:
    def __init__(self, path):
        self.path, self.file = path, os.path.basename(path)
        self.api, self.message, self.messages = None, None, []
        self.open = []  # (indent, list that takes the fields of that indent)

    def parse(self):
        with open(self.path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                text = line.split("#")[0].rstrip()
                if text:
                    try:
                        self.line(len(text) - len(text.lstrip()), text.split())
                    except (Error, ValueError, IndexError) as e:
                        raise Error(f"{self.path}:{number}: {e}") from None
        for m in self.messages:
            resolve(m, m.fields, m.versions)
        return self.messages

    def line(self, indent, words):
        if indent == 0:
            self.top(words)
        elif words[0] == "struct":
            struct = Struct(words[1], parse_versions(words[2]) if len(words) > 2 else (0, LAST))
            self.message.common.append(struct)
            self.open = [(indent + 2, struct.fields)]
        else:
            field = parse_field(words)
            if indent == 2:
                self.open = [(2, self.message.fields)]
            while self.open and self.open[-1][0] > indent:
                self.open.pop()
            if not self.open or self.open[-1][0] != indent:
                raise Error("wrong indentation")
            self.open[-1][1].append(field)
            if field.type not in PRIMITIVE:
                self.open.append((indent + 2, field.inline))

    def top(self, words):
        kind, flexible = words[0], NONE
        if kind == "api":
            options = dict(w.partition("=")[::2] for w in words[3:])
            listeners = [s for s in options.get("listeners", "").split(",") if s]
            self.api = Api(int(words[1]), words[2], listeners, "unstable" in options)
            return
        if words[-1].startswith("flexible="):
            flexible = parse_versions(words.pop().partition("=")[2])
        versions = parse_versions(words[-1])
        if kind in ("request", "response"):
            name, number = self.api.name + kind.title(), self.api.key
        elif kind in ("header", "data"):
            name, number = words[1], None
        elif kind in ("record", "key", "value"):
            name, number = words[2], int(words[1])
        else:
            raise Error(f"'{kind}' is not known")
        self.message = Message(name, kind, number, versions, flexible, self.file)
        if kind in ("request", "response"):
            self.message.api = self.api
            setattr(self.api, kind, self.message)
        self.messages.append(self.message)
        self.open = [(2, self.message.fields)]


def load(folder):
    """Every message of a folder (schema/api or schema/records), in the order of the files' names."""
    files = sorted(os.listdir(folder))
    return [m for f in files for m in Parser(os.path.join(folder, f)).parse()]
