#!/usr/bin/env python3
"""schema/api or schema/records -> C: a header and a source file for each schema file; the tables of src/wire.

    messages.py api|records SCHEMA_FOLDER OUTPUT_FOLDER

What the functions promise is in src/wire/message.h. One C struct serves all versions of a message; `version`
is compared where versions differ and nowhere else. Neighbouring fields of fixed size that the same versions
have share one bounds check. Output files change only when their text does, so a change in one schema file
recompiles one source file.
"""

import os
import sys

import schema
from schema import FIXED, LAST, NONE, meet

RUN_MAX = 128  # bytes of one bounds check: READER_RUN_MAX and WRITER_RUN_MAX of src/wire
WIDTH = 110
C_TYPES = {
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{"bool": "bool", "float64": "double", "uuid": "struct uuid"},
    **{"string": "struct kstr", "bytes": "struct kbytes", "records": "struct krecords"},
}
SHORT = {
    t: t.replace("uint", "u").replace("int", "i").replace("float", "f") for t in FIXED
}  # read_i32, put_f64
GET = {"bool": "{p}[{o}] != 0", "int8": "(int8_t){p}[{o}]", "float64": "get_f64({p} + {o})"}
PUT = {"bool": "{p}[{o}] = {v};", "int8": "{p}[{o}] = (uint8_t){v};"}
KEYWORDS = set(
    "auto bool break case char const continue default do double else enum extern float for goto if inline int"
    " long register return short signed sizeof static struct switch typedef union unsigned void while".split()
)


class CField:
    """A field as the generator uses it: its name in C, and when it is there in the versions of its struct."""

    def __init__(self, message, owner, field):
        where = f"{message.name}.{field.name}"
        if field.tag is not None and field.tagged != field.versions:
            raise schema.Error(f"{where}: a field that is tagged in some versions only is not supported")
        self.field, self.message, self.owner = field, message, owner
        self.name = schema.snake(field.name)
        if self.name in KEYWORDS:
            self.name += "_"
        self.when = meet(field.versions, owner.versions)
        self.array, self.type, self.of, self.tag = field.array, field.type, field.of, field.tag
        self.pointer = bool(field.of and not field.array and field.nullable != NONE)
        self.c_type = f"struct {struct_name(message, field.of)}" if field.of else C_TYPES[field.type]
        self.struct = struct_name(message, field.of) if field.of else None
        self.fixed = FIXED.get(field.type) if not field.array else None
        if self.pointer and meet(field.nullable, self.when) != self.when:
            raise schema.Error(f"{where}: a struct that is nullable in some versions only is not supported")
        if field.default not in ("", "null") and field.type not in FIXED:
            raise schema.Error(f"{where}: default {field.default} is not supported")

    @property
    def default(self):
        """The default as a number; for what has a length: -1 null, 0 empty."""
        words = {"": 0, "null": -1, "true": 1, "false": 0}
        text = self.field.default
        return words[text] if text in words else int(text, 0)

    @property
    def default_c(self):
        if self.type == "bool" and not self.array:
            return "true" if self.default else "false"
        return {2**63 - 1: "INT64_MAX", -(2**31): "INT32_MIN"}.get(self.default, str(self.default))

    def shared_default(self):
        """Name of the constant that a nullable struct with a default that is not null points to."""
        return f"{struct_name(self.message, self.owner)}_{self.name}_default"

    def range_test(self, versions):
        """C for: `version`, which is one that has the field, is in versions."""
        both = meet(versions, self.when)
        return "false" if both == NONE else test(both, self.when) or "true"

    @property
    def nullable_c(self):
        return self.range_test(self.field.nullable)

    @property
    def flexible_c(self):
        flexible = self.message.flexible if self.field.flexible is None else self.field.flexible
        answer = self.range_test(flexible)
        return answer if answer in ("true", "false") else "flexible"


def struct_name(message, struct):
    own = schema.snake(message.name)
    return own if struct is message else f"{own}_{schema.snake(struct.name)}"


def test(versions, within):
    """C condition for `version` in versions, knowing that it is within; "" if that is always so."""
    low = f"version >= {versions[0]}" if versions[0] > within[0] else ""
    high = f"version <= {versions[1]}" if versions[1] < within[1] else ""
    return f"{low} && {high}" if low and high else low or high


def fields_of(message, struct):
    """The fields that some valid version has, in order."""
    fields = [CField(message, struct, f) for f in struct.fields]
    fields = [f for f in fields if f.when != NONE]
    names = [n for f in fields for n in ([f.name, f.name + "_n"] if f.array else [f.name])]
    if len(set(names)) != len(names):
        raise schema.Error(f"{message.name}.{struct.name}: two fields have the same name in C")
    return fields


def least_size(message, struct, version):
    """The fewest bytes that a struct takes in one version."""
    flexible = schema.within(message.flexible, version)
    total = 1 if flexible else 0
    for f in fields_of(message, struct):
        if schema.within(f.when, version) and f.tag is None:
            total += least_field(f, version)
    return total


def least_field(f, version):
    flexible = schema.within(f.message.flexible if f.field.flexible is None else f.field.flexible, version)
    if f.fixed:
        return f.fixed
    if f.of and not f.array:
        return 1 if f.pointer else least_size(f.message, f.of, version)
    return 1 if flexible else 2 if f.type == "string" and not f.array else 4


def least_element(f):
    """The fewest bytes of an array's element in any version that has the array."""
    if f.type in FIXED:
        return FIXED[f.type]
    if not f.of:
        return 1 if f.flexible_c != "false" else 2
    least = min(least_size(f.message, f.of, v) for v in range(f.when[0], f.when[1] + 1))
    if least == 0:
        raise schema.Error(f"{f.message.name}.{f.field.name}: elements of no bytes would have no bound")
    return least


# --- the header ---


def versions_text(f):
    low, high = f.field.versions
    text = f"{low}+" if high == LAST else str(low) if low == high else f"{low}-{high}"
    nullable = meet(f.field.nullable, f.when)
    if nullable != NONE:
        text += ", nullable" if nullable == f.when else f", nullable {nullable[0]}-{nullable[1]}"
    text += f", default {f.field.default}" if f.field.default else ""
    return text + (f", tag {f.tag}" if f.tag is not None else "")


def declare_struct(message, struct):
    lines = []
    for f in fields_of(message, struct):
        star = "*" if f.array or f.pointer else ""
        note = versions_text(f)
        lines.append(f"    {f.c_type} {star}{f.name};" + (f" /* {note} */" if note != "0+" else ""))
        if f.array:
            lines.append(f"    int32_t {f.name}_n;")
    if not lines:
        lines = ["    char nothing; /* no version has a field */"]
    return [f"struct {struct_name(message, struct)} {{", *lines, "};"]


def header(stem, messages):
    guard = f"OTTLA_{stem.upper().replace('/', '_')}_GENERATED_H"
    numbered = [m for m in messages if m.kind in ("record", "key")]
    out = f"""\
/* From schema/{stem} by gen/messages.py. The functions' contract is in wire/message.h. */
#ifndef {guard}
#define {guard}

#include "wire/message.h"
""".split("\n")
    if numbered:
        family = os.path.basename(stem)
        rows = [f"    {family.upper()}_{constant(m)} = {m.type}," for m in numbered]
        out += [f"enum {family}_type {{", *rows, "};", ""]
    for m in messages:
        out += declare_message(m)
    return out + ["#endif"]


def declare_message(message):
    name, structs = struct_name(message, message), [*message.structs, message]
    flexible = f", flexible from {message.flexible[0]}" if message.flexible != NONE else ""
    out = [f"/* {message.name}: versions {message.versions[0]} to {message.versions[1]}{flexible}. */"]
    out += [line for s in structs for line in [*declare_struct(message, s), ""]]
    out += [f"void {struct_name(message, s)}_init(struct {struct_name(message, s)} *x);" for s in structs]
    return out + f"""\
int {name}_decode(struct {name} *x, struct reader *r, int16_t version, struct arena *a);
int {name}_encode(const struct {name} *x, struct writer *w, int16_t version);
size_t {name}_size(const struct {name} *x, int16_t version);
void {name}_json(const struct {name} *x, struct strbuf *out, int16_t version);
extern const struct message {name}_message;
""".split("\n")


def constant(message):
    """OFFSET_COMMIT for OffsetCommitKey, REGISTER_BROKER for RegisterBrokerRecord."""
    name = schema.snake(message.name).upper()
    for end in ("_KEY", "_RECORD"):
        name = name.removesuffix(end)
    return name


# --- the source ---


def grouped(pieces):
    """Joins neighbouring (condition, lines, else lines) of the same condition and writes their ifs."""
    out, at = [], 0
    while at < len(pieces):
        condition, then, other = pieces[at][0], [], []
        while at < len(pieces) and pieces[at][0] == condition:
            then, other, at = then + pieces[at][1], other + pieces[at][2], at + 1
        out += then if not condition else branch(condition, then, other)
    return out


def branch(condition, then, other):
    out = [f"if ({condition}) {{", *indent(then)]
    return out + (["} else {", *indent(other), "}"] if other else ["}"])


def indent(lines):
    return ["    " + line for line in lines]


def runs(fields):
    """Splits fields into lists: fixed-size neighbours of the same versions together, all others alone."""
    out = []
    for f in fields:
        run = out[-1] if out else []
        joins = run and f.fixed and run[-1].fixed and f.when == run[-1].when
        if joins and sum(g.fixed for g in run) + f.fixed <= RUN_MAX:
            run.append(f)
        else:
            out.append([f])
    return out


def initializers(message, struct):
    """The parts of a struct's initializer that are not zero."""
    out = []
    for f in fields_of(message, struct):
        if f.array:
            if f.default:
                out.append(f".{f.name}_n = -1")
        elif f.pointer:
            if f.default == 0:
                out.append(f".{f.name} = (struct {f.struct} *)&{f.shared_default()}")
        elif f.of:
            inner = initializers(message, f.of)
            if inner:
                out.append(f".{f.name} = {{{', '.join(inner)}}}")
        elif f.default:
            out.append(f".{f.name} = {f.default_c}" if f.fixed else f".{f.name} = {{.len = -1}}")
    return out


def set_default(f):
    """C lines that give the field of x its default."""
    if f.array:
        return [f"x->{f.name} = NULL;", f"x->{f.name}_n = {f.default};"]
    if f.pointer:
        value = "NULL" if f.default else f"(struct {f.struct} *)&{f.shared_default()}"
        return [f"x->{f.name} = {value};"]
    if f.of:
        return [f"{f.struct}_init(&x->{f.name});"]
    if f.type == "uuid":
        return [f"x->{f.name} = (struct uuid){{0}};"]
    if f.fixed:
        return [f"x->{f.name} = {f.default_c};"]
    return [f"x->{f.name} = ({f.c_type}){{{'.len = -1' if f.default else '0'}}};"]


def not_default(f):
    """C condition: the field of x is not its default."""
    if f.array:
        return f"x->{f.name}_n != {f.default}"
    if f.pointer:
        return f"x->{f.name}" if f.default else f"(!x->{f.name} || !{f.struct}_is_default(x->{f.name}))"
    if f.of:
        return f"!{f.struct}_is_default(&x->{f.name})"
    if f.type == "uuid":
        return f"!uuid_is_zero(&x->{f.name})"
    if f.fixed:
        return f"x->{f.name} != {f.default_c}"
    return f"x->{f.name}.len != {f.default}"


def read_fields(fields):
    """One run of fixed-size fields, or one other field."""
    f = fields[0]
    if len(fields) > 1:
        out, offset = [f"p = read_run(r, {sum(f.fixed for f in fields)});"], 0
        for f in fields:
            get = GET.get(f.type, f"get_{SHORT[f.type]}({{p}} + {{o}})").format(p="p", o=offset)
            out.append(f"x->{f.name} = {get};".replace("p + 0)", "p)"))
            offset += f.fixed
        return out
    if f.fixed:
        return [f"x->{f.name} = read_{SHORT[f.type]}(r);"]
    if f.array:
        return read_array(f)
    if f.pointer:
        return [
            f"x->{f.name} = read_present(r) ? read_array(r, a, 1, sizeof *x->{f.name}) : NULL;",
            f"if (x->{f.name}) {f.struct}_read(x->{f.name}, r, version, a);",
        ]
    if f.of:
        return [f"{f.struct}_read(&x->{f.name}, r, version, a);"]
    return [f"x->{f.name} = read_{f.type}(r, {f.flexible_c}, {f.nullable_c});"]


def read_array(f):
    out = [f"x->{f.name}_n = read_count(r, {f.flexible_c}, {f.nullable_c}, {least_element(f)});"]
    if f.type in FIXED:
        return out + [f"x->{f.name} = read_{SHORT[f.type]}s(r, a, x->{f.name}_n);"]
    element = (
        f"{f.struct}_read(&x->{f.name}[i], r, version, a)"
        if f.of
        else f"x->{f.name}[i] = read_{f.type}(r, {f.flexible_c}, false)"
    )
    return out + [
        f"x->{f.name} = read_array(r, a, x->{f.name}_n, sizeof *x->{f.name});",
        f"for (int32_t i = 0; i < x->{f.name}_n && !r->err; i++) {element};",
    ]


def read_tags(message, struct, tagged):
    """The lines that read the section of tagged fields."""
    if not tagged:
        return ["read_no_tags(r);"]
    out = ["for (uint32_t n = read_uvarint(r), tag; n && !r->err; n--) {"]
    out += ["    const uint8_t *end = read_tag(r, &tag);"]
    cases = []
    for f in sorted(tagged, key=lambda f: f.tag):
        condition = test(f.when, meet(message.flexible, struct.versions))
        reading = read_fields([f])
        if condition:
            reading = branch(condition, reading, ["r->p = r->end;"])
        cases += [f"case {f.tag}:", *indent([*reading, "break;"])]
    cases += ["default:", "    r->p = r->end;", "    break;"]
    return out + indent(["switch (tag) {", *cases, "}", "read_tag_end(r, end);"]) + ["}"]


def flexible_test(message, struct):
    """How C says that this struct is flexible: "true", "false", or the variable that holds it."""
    both = meet(message.flexible, struct.versions)
    return "false" if both == NONE else "true" if both == struct.versions else "flexible"


def prologue(message, struct, body, pointer):
    """Declarations that the body needs."""
    out = []
    if any("flexible" in line for line in body):
        out.append(f"const bool flexible = {test(meet(message.flexible, struct.versions), struct.versions)};")
    if any(line.strip().startswith("p = ") for line in body):
        out.append(f"{pointer} *p;")
    return out


def reader(message, struct):
    name, flexible = struct_name(message, struct), flexible_test(message, struct)
    fields = fields_of(message, struct)
    tagged = [f for f in fields if f.tag is not None]
    body = []
    for run in runs([f for f in fields if f.tag is None]):
        body.append(
            (test(run[0].when, struct.versions), read_fields(run), [s for f in run for s in set_default(f)])
        )
    body = grouped(body) + [line for f in tagged for line in set_default(f)]
    body += under_flexible(flexible, read_tags(message, struct, tagged))
    body = prologue(message, struct, body, "const uint8_t") + body
    head = f"static void {name}_read(struct {name} *x, struct reader *r, int16_t version, struct arena *a) {{"
    return [head, *indent(body), "}"]


def under_flexible(flexible, lines):
    """Lines for the versions that have tagged fields; flexible as flexible_test() says."""
    if flexible != "flexible":
        return lines if flexible == "true" else []
    return [f"if (flexible) {lines[0]}"] if len(lines) == 1 else branch("flexible", lines, [])


def put(f, offset):
    """The C line that puts a field of fixed size behind p."""
    line = PUT.get(f.type, f"put_{SHORT[f.type]}({{p}} + {{o}}, {{v}});").format(
        p="p", o=offset, v=f"x->{f.name}"
    )
    return line.replace("p + 0,", "p,")


def write_fields(fields):
    f = fields[0]
    if len(fields) > 1:
        out, offset = [f"p = write_run(w, {sum(f.fixed for f in fields)});"], 0
        for f in fields:
            out.append(put(f, offset))
            offset += f.fixed
        return out
    if f.fixed:
        return [f"write_{SHORT[f.type]}(w, x->{f.name});"]
    if f.array:
        return write_array(f)
    if f.pointer:
        body = f"if (x->{f.name}) {f.struct}_write(x->{f.name}, w, version);"
        null = 0 if f.tag is not None else -1  # the reference has a varint in a tagged field, else a byte
        return [f"write_i8(w, x->{f.name} ? 1 : {null});", body]
    if f.of:
        return [f"{f.struct}_write(&x->{f.name}, w, version);"]
    value = f"&x->{f.name}" if f.type == "records" else f"x->{f.name}"
    return [f"write_{f.type}(w, {value}, {f.flexible_c}, {f.nullable_c});"]


def write_array(f):
    out = [f"write_length(w, x->{f.name}_n, {f.flexible_c}, {f.nullable_c});"]
    if f.type in ("int8", "uuid"):
        size = f" * {FIXED[f.type]}" if FIXED[f.type] > 1 else ""
        return out + [f"if (x->{f.name}_n > 0) write_raw(w, x->{f.name}, (size_t)x->{f.name}_n{size});"]
    if f.type in FIXED:
        return out + [f"write_{SHORT[f.type]}s(w, x->{f.name}, x->{f.name}_n);"]
    element = (
        f"{f.struct}_write(&x->{f.name}[i], w, version)"
        if f.of
        else f"write_{f.type}(w, x->{f.name}[i], {f.flexible_c}, false)"
    )
    return out + [f"for (int32_t i = 0; i < x->{f.name}_n; i++) {element};"]


def write_tags(message, struct, tagged):
    if not tagged:
        return ["write_i8(w, 0);"]
    out, count = [], []
    for f in sorted(tagged, key=lambda f: f.tag):
        condition = test(f.when, meet(message.flexible, struct.versions))
        has = f"has_{f.name}"
        out.append(f"const bool {has} = {condition + ' && ' if condition else ''}{not_default(f)};")
        count.append(has)
    out.append(f"write_uvarint(w, {' + '.join(f'(uint32_t){h}' for h in count)});")
    for f in sorted(tagged, key=lambda f: f.tag):
        if f.fixed:
            body = [f"p = write_run(w, {f.fixed + 2});", f"p[0] = {f.tag};", f"p[1] = {f.fixed};", put(f, 2)]
        else:
            body = [f"size_t at = write_tag(w, {f.tag});", *write_fields([f]), "write_tag_end(w, at);"]
        out += branch(f"has_{f.name}", body, [])
    return out


def writer(message, struct):
    name, flexible = struct_name(message, struct), flexible_test(message, struct)
    fields = fields_of(message, struct)
    tagged = [f for f in fields if f.tag is not None]
    parts = runs([f for f in fields if f.tag is None])
    body = grouped([(test(run[0].when, struct.versions), write_fields(run), []) for run in parts])
    body += under_flexible(flexible, write_tags(message, struct, tagged))
    body = prologue(message, struct, body, "uint8_t") + body
    head = f"static void {name}_write(const struct {name} *x, struct writer *w, int16_t version) {{"
    return [head, *indent(body), "}"]


def is_default(message, struct):
    name = struct_name(message, struct)
    tests = " || ".join(not_default(f) for f in fields_of(message, struct))
    return [f"static bool {name}_is_default(const struct {name} *x) {{", f"    return !({tests});", "}"]


def compared_structs(message):
    """Structs whose default must be recognized: those of tagged fields, and what they hold."""
    wanted = set()

    def want(struct):
        wanted.add(struct.name)
        for f in fields_of(message, struct):
            if f.of and not f.array:
                want(f.of)

    for struct in [*message.structs, message]:
        for f in fields_of(message, struct):
            if f.of and not f.array and f.tag is not None and not (f.pointer and f.default):
                want(f.of)
    return [s for s in message.structs if s.name in wanted]


def shape(message, struct):
    name, rows = struct_name(message, struct), []
    for f in fields_of(message, struct):
        row = f'{{.name = "{f.field.name}", .type = FIELD_{"STRUCT" if f.of else f.type.upper()}'
        row += f", .offset = offsetof(struct {name}, {f.name})"
        row += f", .count = offsetof(struct {name}, {f.name}_n), .array = true" if f.array else ""
        row += f", .of = &{f.struct}_shape" if f.of else ""
        row += f", .first = {f.when[0]}, .last = {f.when[1]}"
        row += f", .value = {f.default_c}" if f.default else ""
        row += ", .pointer = true" if f.pointer else ""
        row += ", .tagged = true" if f.tag is not None else ""
        rows.append(f"    {row}}},")
    fields = f"{name}_fields" if rows else "NULL"
    out = [f"static const struct field {fields}[] = {{", *rows, "};"] if rows else []
    out += [f"static const struct shape {name}_shape = {{"]
    return out + [f'    "{struct.name}", {fields}, {len(rows)}, sizeof(struct {name})}};']


def first_flexible(message):
    return message.flexible[0] if message.flexible != NONE else "INT16_MAX"


def public_functions(message):
    name, (first, last) = struct_name(message, message), message.versions
    check = f"if (version < {first} || version > {last}) return OE_UNSUPPORTED;"
    number = -1 if message.type is None else message.type
    return f"""\
int {name}_decode(struct {name} *x, struct reader *r, int16_t version, struct arena *a) {{
    {check}
    {name}_read(x, r, version, a);
    return r->err;
}}

int {name}_encode(const struct {name} *x, struct writer *w, int16_t version) {{
    {check}
    {name}_write(x, w, version);
    return w->err;
}}

size_t {name}_size(const struct {name} *x, int16_t version) {{
    struct writer w;
    writer_init_counting(&w);
    {name}_write(x, &w, version);
    return writer_total(&w);
}}

void {name}_json(const struct {name} *x, struct strbuf *out, int16_t version) {{
    shape_json(&{name}_shape, x, out, version);
}}

static void any_{name}_init(void *x) {{ {name}_init(x); }}
static int any_{name}_decode(void *x, struct reader *r, int16_t version, struct arena *a) {{
    return {name}_decode(x, r, version, a);
}}
static int any_{name}_encode(const void *x, struct writer *w, int16_t version) {{
    return {name}_encode(x, w, version);
}}

const struct message {name}_message = {{
    .name = "{message.name}", .family = "{message.file}",
    .kind = MESSAGE_{message.kind.upper()}, .type = {number},
    .first = {first}, .last = {last}, .flexible = {first_flexible(message)}, .shape = &{name}_shape,
    .init = any_{name}_init, .decode = any_{name}_decode, .encode = any_{name}_encode,
}};
""".split("\n")


def init_functions(message):
    out = []
    for struct in [*message.structs, message]:
        name = struct_name(message, struct)
        for f in fields_of(message, struct):
            if f.pointer and not f.default:
                inner = ", ".join(initializers(message, f.of)) or "0"
                out += [f"static const struct {f.struct} {f.shared_default()} = {{{inner}}};"]
        out += [
            f"void {name}_init(struct {name} *x) {{",
            f"    *x = (struct {name}){{{', '.join(initializers(message, struct)) or '0'}}};",
            "}",
            "",
        ]
    return out


def source(stem, messages):
    out = [f"/* From schema/{stem} by gen/messages.py. */", f'#include "{stem}.h"', ""]
    for m in messages:
        structs = [*m.structs, m]
        out += init_functions(m)
        for make in (reader, is_default, writer, shape):
            which = compared_structs(m) if make is is_default else structs
            out += [line for s in which for line in [*make(m, s), ""]]
        out += public_functions(m)
    return out


# --- tables ---


def api_tables(files):
    found = {m.api.key: m.api for ms in files.values() for m in ms if m.api}
    apis = [found[key] for key in sorted(found)]
    keys = [f"    API_{schema.snake(a.name).upper()} = {a.key}," for a in apis]
    keys_h = [
        "/* From schema/api by gen/messages.py. */",
        "#ifndef OTTLA_API_KEYS_H",
        "#define OTTLA_API_KEYS_H",
        "",
    ]
    keys_h += ["enum api_key {", *keys, f"    API_KEY_LAST = {apis[-1].key}", "};", "", "#endif"]
    table = ["/* From schema/api by gen/messages.py. */", '#include "wire/api.h"']
    table += [f'#include "api/{f}.h"' for f in files] + ["", "const struct api apis[] = {"]
    return keys_h, [*table, *map(api_row, apis), "};", f"const int apis_n = {len(apis)};"]


def api_row(api):
    (first, last), key = api.request.versions, f"API_{schema.snake(api.name).upper()}"
    if api.request.versions != api.response.versions or api.request.flexible != api.response.flexible:
        raise schema.Error(f"{api.name}: request and response have different versions")
    numbers = f"{first}, {last}, {last - api.unstable}, {first_flexible(api.request)}"
    listeners = " | ".join(f"API_{s.upper()}" for s in api.listeners) or "0"
    both = [f"&{struct_name(m, m)}_message" if last >= first else "NULL" for m in (api.request, api.response)]
    return f'    {{{key}, "{api.name}", {numbers}, {listeners}, {both[0]}, {both[1]}}},'


def message_table(folder):
    """All messages of both folders; folder is schema/."""
    kinds = ["request", "response", "header", "data", "record", "key", "value"]

    def order(m):
        number = -1 if m.type is None else m.type
        return (0, number, m.kind, "") if m.api else (1, m.file, number, kinds.index(m.kind))

    found = [m for part in ("api", "records") for m in schema.load(os.path.join(folder, part))]
    names = [f"{struct_name(m, m)}_message" for m in sorted(found, key=order) if m.versions != NONE]
    out = ["/* From schema/ by gen/messages.py. */", '#include "wire/message.h"', ""]
    out += [f"extern const struct message {n};" for n in names]
    out += ["", "const struct message *const messages[] = {", *[f"    &{n}," for n in names], "};"]
    return out + [f"const int messages_n = {len(names)};"]


def wrapped(line):
    """A long line broken behind a comma or beside an operator, the rest indented by eight more."""
    out, margin = [], " " * (len(line) - len(line.lstrip()) + 8)
    while len(line) > WIDTH:
        breaks = ((", ", 1), ("++) ", 3), (" && ", 0), (" || ", 0), (" = ", 2), ("(", 1))
        found = [line.rfind(text, len(margin), WIDTH) + kept for text, kept in breaks]
        at = next((at for at in found if at > len(margin)), 0)
        if not at:
            break
        out, line = out + [line[:at]], margin + line[at:].lstrip()
    return out + [line]


def write(folder, name, lines):
    path = os.path.join(folder, name)
    text = "\n".join(part for line in lines for part in wrapped(line)) + "\n"
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main(part, folder, output):
    files = {}
    for m in schema.load(folder):
        files.setdefault(m.file, [])
        if m.versions != NONE or m.api:
            files[m.file].append(m)
    for name, messages in files.items():
        alive = [m for m in messages if m.versions != NONE]
        write(output, f"{name}.h", header(f"{part}/{name}", alive))
        write(output, f"{name}.c", source(f"{part}/{name}", alive))
    if part == "api":
        keys, table = api_tables(files)
        write(output, "keys.h", keys)
        write(output, "table.c", table)
    else:
        write(output, "table.c", message_table(os.path.dirname(folder)))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except schema.Error as e:
        sys.exit(f"messages.py: {e}")
