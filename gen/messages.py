#!/usr/bin/env python3
"""schema/api or schema/records -> C: a header and a source file for each schema file, and the tables that src/wire reads.

    messages.py api|records SCHEMA_FOLDER OUTPUT_FOLDER

What the functions promise is in src/wire/message.h. One C struct serves all versions of a message; `version` is compared where
versions differ and nowhere else. Neighbouring fields of fixed size that the same versions have share one bounds check.
Output files change only when their text does, so that a change in one schema file recompiles one source file.
"""
import os
import sys

import schema
from schema import FIXED, LAST, NONE, meet

RUN_MAX = 128
C_TYPES = {"bool": "bool", "int8": "int8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
           "uint32": "uint32_t", "int64": "int64_t", "float64": "double", "uuid": "struct uuid", "string": "struct kstr",
           "bytes": "struct kbytes", "records": "struct krecords"}
SHORT = {"bool": "bool", "int8": "i8", "int16": "i16", "uint16": "u16", "int32": "i32", "uint32": "u32", "int64": "i64",
         "float64": "f64", "uuid": "uuid"}
GET = {"bool": "{p}[{o}] != 0", "int8": "(int8_t){p}[{o}]", "float64": "get_f64({p} + {o})", "uuid": "get_uuid({p} + {o})"}
PUT = {"bool": "{p}[{o}] = {v}", "int8": "{p}[{o}] = (uint8_t){v}"}
KEYWORDS = {"default", "register", "int", "long", "short", "char", "double", "bool", "auto", "break", "case", "const",
            "continue", "do", "else", "enum", "extern", "for", "goto", "if", "inline", "return", "signed", "sizeof",
            "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"}


class CField:
    """A field as the generator uses it: its names in C, and when it is there, within the versions of its struct."""

    def __init__(self, message, owner, field):
        if field.tag is not None and field.tagged != field.versions:
            raise schema.Error(f"{message.name}.{field.name}: a field that is tagged in some versions only is not supported")
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
            raise schema.Error(f"{message.name}.{field.name}: a struct that is nullable in some versions only")
        if field.default not in ("", "null") and field.type not in FIXED:
            raise schema.Error(f"{message.name}.{field.name}: default {field.default} is not supported")

    @property
    def default(self):
        """The default as a number; for what has a length: -1 null, 0 empty."""
        text = self.field.default
        return {"": 0, "null": -1, "true": 1, "false": 0}.get(text) if text in ("", "null", "true", "false") else int(text, 0)

    @property
    def default_c(self):
        if self.type == "bool" and not self.array:
            return "true" if self.default else "false"
        return "INT64_MAX" if self.default == 2**63 - 1 else "INT32_MIN" if self.default == -2**31 else str(self.default)

    def shared_default(self):
        """Name of the constant that a nullable struct with a default that is not null points to."""
        return f"{struct_name(self.message, self.owner)}_{self.name}_default"

    def range_test(self, versions):
        """The C condition for `version` to be in versions, given that the struct is there; "" always, None never."""
        both = meet(versions, self.when)
        if both == NONE:
            return None
        return test(both, self.when)

    @property
    def nullable_c(self):
        return {"": "true", None: "false"}.get(self.range_test(self.field.nullable), self.range_test(self.field.nullable))

    @property
    def flexible_c(self):
        flexible = self.message.flexible if self.field.flexible is None else self.field.flexible
        answer = self.range_test(flexible)
        return {"": "true", None: "false"}.get(answer, "flexible")


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


# --- the header ---------------------------------------------------------------------------------------------------------------

def versions_text(f):
    low, high = f.field.versions
    text = f"{low}+" if high == LAST else str(low) if low == high else f"{low}-{high}"
    nullable = meet(f.field.nullable, f.when)
    return text + (", nullable" if nullable == f.when else f", nullable {nullable[0]}-{nullable[1]}" if nullable != NONE else "") \
        + (f", default {f.field.default}" if f.field.default else "") + (f", tag {f.tag}" if f.tag is not None else "")


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
    out = [f"/* From schema/{stem} by gen/messages.py. The functions' contract is in wire/message.h. */",
           f"#ifndef {guard}", f"#define {guard}", "", '#include "wire/message.h"', ""]
    kinds = [m for m in messages if m.kind in ("record", "key")]
    if kinds:
        family = os.path.basename(stem)
        out += [f"enum {family}_type {{"]
        out += [f"    {family.upper()}_{constant(m)} = {m.type}," for m in kinds] + ["};", ""]
    for m in messages:
        name = struct_name(m, m)
        out += [f"/* {m.name}: versions {m.versions[0]} to {m.versions[1]}"
                + (f", flexible from {m.flexible[0]}" if m.flexible != NONE else "") + ". */"]
        out += [line for s in [*m.structs, m] for line in [*declare_struct(m, s), ""]]
        out += [f"void {struct_name(m, s)}_init(struct {struct_name(m, s)} *x);" for s in [*m.structs, m]]
        out += [f"int {name}_decode(struct {name} *x, struct reader *r, int16_t version, struct arena *a);",
                f"int {name}_encode(const struct {name} *x, struct writer *w, int16_t version);",
                f"size_t {name}_size(const struct {name} *x, int16_t version);",
                f"void {name}_json(const struct {name} *x, struct strbuf *out, int16_t version);",
                f"extern const struct message {name}_message;", ""]
    return out + ["#endif"]


def constant(message):
    """OFFSET_COMMIT for OffsetCommitKey, REGISTER_BROKER for RegisterBrokerRecord."""
    name = schema.snake(message.name).upper()
    for end in ("_KEY", "_RECORD"):
        name = name.removesuffix(end)
    return name


# --- the source ---------------------------------------------------------------------------------------------------------------

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
    """Splits the untagged fields into lists: fixed-size neighbours of the same versions together, all others alone."""
    out = []
    for f in fields:
        last = out[-1] if out else None
        if last and f.fixed and last[-1].fixed and f.when == last[-1].when and sum(g.fixed for g in last) + f.fixed <= RUN_MAX:
            last.append(f)
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
        return [f"x->{f.name} = NULL;" if f.default else f"x->{f.name} = (struct {f.struct} *)&{f.shared_default()};"]
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
            get = GET.get(f.type, f"get_{SHORT[f.type]}({{p}} + {{o}})").format(p="p", o=offset).replace(" + 0)", ")")
            out.append(f"x->{f.name} = {get};")
            offset += f.fixed
        return out
    if f.fixed:
        return [f"x->{f.name} = read_{SHORT[f.type]}(r);"]
    if f.array:
        return read_array(f)
    if f.pointer:
        return [f"x->{f.name} = read_present(r) ? read_array(r, a, 1, sizeof *x->{f.name}) : NULL;",
                f"if (x->{f.name}) {f.struct}_read(x->{f.name}, r, version, a);"]
    if f.of:
        return [f"{f.struct}_read(&x->{f.name}, r, version, a);"]
    return [f"x->{f.name} = read_{f.type}(r, {f.flexible_c}, {f.nullable_c});"]


def read_array(f):
    out = [f"x->{f.name}_n = read_count(r, {f.flexible_c}, {f.nullable_c}, {least_element(f)});"]
    if f.type in FIXED:
        return out + [f"x->{f.name} = read_{SHORT[f.type]}s(r, a, x->{f.name}_n);"]
    element = f"{f.struct}_read(&x->{f.name}[i], r, version, a)" if f.of else \
        f"x->{f.name}[i] = read_{f.type}(r, {f.flexible_c}, false)"
    return out + [f"x->{f.name} = read_array(r, a, x->{f.name}_n, sizeof *x->{f.name});",
                  f"for (int32_t i = 0; i < x->{f.name}_n && !r->err; i++) {element};"]


def read_tags(message, struct, tagged):
    """The lines that read the section of tagged fields, and those that give all of them their defaults."""
    if not tagged:
        return ["read_no_tags(r);"]
    out = ["for (uint32_t n = read_uvarint(r), tag; n && !r->err; n--) {", "    const uint8_t *end = read_tag(r, &tag);"]
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
    body = grouped([(test(run[0].when, struct.versions), read_fields(run), [s for f in run for s in set_default(f)])
                    for run in runs([f for f in fields if f.tag is None])])
    body += [line for f in tagged for line in set_default(f)]
    if flexible != "false":
        tags = read_tags(message, struct, tagged)
        body += tags if flexible == "true" else \
            ["if (flexible) read_no_tags(r);"] if not tagged else branch("flexible", tags, [])
    body = prologue(message, struct, body, "const uint8_t") + body
    return [f"static void {name}_read(struct {name} *x, struct reader *r, int16_t version, struct arena *a) {{",
            *indent(body), "}"]


def write_fields(fields):
    f = fields[0]
    if len(fields) > 1:
        out, offset = [f"p = write_run(w, {sum(f.fixed for f in fields)});"], 0
        for f in fields:
            put = PUT.get(f.type, f"put_{SHORT[f.type]}({{p}} + {{o}}, {{v}})")
            out.append(put.format(p="p", o=offset, v=f"x->{f.name}").replace(" + 0,", ",") + ";")
            offset += f.fixed
        return out
    if f.fixed:
        return [f"write_{SHORT[f.type]}(w, x->{f.name});"]
    if f.array:
        return write_array(f)
    if f.pointer:
        return [f"write_i8(w, x->{f.name} ? 1 : -1);", f"if (x->{f.name}) {f.struct}_write(x->{f.name}, w, version);"]
    if f.of:
        return [f"{f.struct}_write(&x->{f.name}, w, version);"]
    return [f"write_{f.type}(w, {'&' if f.type == 'records' else ''}x->{f.name}, {f.flexible_c}, {f.nullable_c});"]


def write_array(f):
    out = [f"write_length(w, x->{f.name}_n, {f.flexible_c}, {f.nullable_c});"]
    if f.type in ("int8", "uuid"):
        size = f" * {FIXED[f.type]}" if FIXED[f.type] > 1 else ""
        return out + [f"if (x->{f.name}_n > 0) write_raw(w, x->{f.name}, (size_t)x->{f.name}_n{size});"]
    if f.type in FIXED:
        return out + [f"write_{SHORT[f.type]}s(w, x->{f.name}, x->{f.name}_n);"]
    element = f"{f.struct}_write(&x->{f.name}[i], w, version)" if f.of else \
        f"write_{f.type}(w, x->{f.name}[i], {f.flexible_c}, false)"
    return out + [f"for (int32_t i = 0; i < x->{f.name}_n; i++) {element};"]


def write_tags(message, struct, tagged):
    out, count = [], []
    for f in sorted(tagged, key=lambda f: f.tag):
        condition = test(f.when, meet(message.flexible, struct.versions))
        has = f"has_{f.name}"
        out.append(f"const bool {has} = {condition + ' && ' if condition else ''}{not_default(f)};")
        count.append(has)
    out.append(f"write_uvarint(w, {' + '.join(f'(uint32_t){h}' for h in count)});")
    for f in sorted(tagged, key=lambda f: f.tag):
        if f.fixed:
            body = [f"p = write_run(w, {f.fixed + 2});", f"p[0] = {f.tag};", f"p[1] = {f.fixed};"]
            put = PUT.get(f.type, f"put_{SHORT[f.type]}({{p}} + {{o}}, {{v}})")
            body.append(put.format(p="p", o=2, v=f"x->{f.name}") + ";")
        else:
            body = [f"size_t at = write_tag(w, {f.tag});", *write_fields([f]), "write_tag_end(w, at);"]
        out += branch(f"has_{f.name}", body, [])
    return out


def writer(message, struct):
    name, flexible = struct_name(message, struct), flexible_test(message, struct)
    fields = fields_of(message, struct)
    tagged = [f for f in fields if f.tag is not None]
    body = grouped([(test(run[0].when, struct.versions), write_fields(run), [])
                    for run in runs([f for f in fields if f.tag is None])])
    if flexible != "false":
        tags = write_tags(message, struct, tagged) if tagged else ["write_i8(w, 0);"]
        body += tags if flexible == "true" else ["if (flexible) write_i8(w, 0);"] if not tagged else branch("flexible", tags, [])
    body = prologue(message, struct, body, "uint8_t") + body
    return [f"static void {name}_write(const struct {name} *x, struct writer *w, int16_t version) {{", *indent(body), "}"]


def is_default(message, struct):
    name = struct_name(message, struct)
    tests = [not_default(f) for f in fields_of(message, struct)]
    return [f"static bool {name}_is_default(const struct {name} *x) {{", f"    return !({' || '.join(tests)});", "}"]


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
        parts = [f'.name = "{f.field.name}"', f".type = FIELD_{'STRUCT' if f.of else f.type.upper()}"]
        parts += [f".offset = offsetof(struct {name}, {f.name})"]
        parts += [f".count = offsetof(struct {name}, {f.name}_n)", ".array = true"] if f.array else []
        parts += [f".of = &{f.struct}_shape"] if f.of else []
        parts += [f".first = {f.when[0]}", f".last = {f.when[1]}"]
        parts += [f".value = {f.default_c}"] if f.default else []
        parts += [".pointer = true"] if f.pointer else []
        parts += [".tagged = true"] if f.tag is not None else []
        rows.append("    {" + ", ".join(parts) + "},")
    fields, n = f"{name}_fields", len(rows)
    out = [f"static const struct field {fields}[] = {{", *rows, "};"] if rows else []
    return out + [f"static const struct shape {name}_shape = {{\"{struct.name}\", {fields if rows else 'NULL'}, {n}, "
                  f"sizeof(struct {name})}};"]


def first_flexible(message):
    return message.flexible[0] if message.flexible != NONE else "INT16_MAX"


def any_functions(message):
    """The functions of struct message: the same with untyped pointers, and the row itself."""
    name, (first, last) = struct_name(message, message), message.versions
    number = -1 if message.type is None else message.type
    return [f"static void any_{name}_init(void *x) {{ {name}_init(x); }}",
            f"static int any_{name}_decode(void *x, struct reader *r, int16_t version, struct arena *a) {{",
            f"    return {name}_decode(x, r, version, a);", "}",
            f"static int any_{name}_encode(const void *x, struct writer *w, int16_t version) {{",
            f"    return {name}_encode(x, w, version);", "}", "",
            f"const struct message {name}_message = {{",
            f'    .name = "{message.name}", .family = "{message.file}", .kind = MESSAGE_{message.kind.upper()}, .type = {number},',
            f"    .first = {first}, .last = {last}, .flexible = {first_flexible(message)}, .shape = &{name}_shape,",
            f"    .init = any_{name}_init, .decode = any_{name}_decode, .encode = any_{name}_encode,", "};"]


def public_functions(message):
    name, (first, last) = struct_name(message, message), message.versions
    check = f"    if (version < {first} || version > {last}) return OE_UNSUPPORTED;"
    return [f"int {name}_decode(struct {name} *x, struct reader *r, int16_t version, struct arena *a) {{", check,
            f"    {name}_read(x, r, version, a);", "    return r->err;", "}", "",
            f"int {name}_encode(const struct {name} *x, struct writer *w, int16_t version) {{", check,
            f"    {name}_write(x, w, version);", "    return w->err;", "}", "",
            f"size_t {name}_size(const struct {name} *x, int16_t version) {{", "    struct writer w;",
            "    writer_init_counting(&w);", f"    {name}_write(x, &w, version);", "    return writer_total(&w);", "}", "",
            f"void {name}_json(const struct {name} *x, struct strbuf *out, int16_t version) {{",
            f"    shape_json(&{name}_shape, x, out, version);", "}"]


def init_functions(message):
    out = []
    for struct in [*message.structs, message]:
        name = struct_name(message, struct)
        for f in fields_of(message, struct):
            if f.pointer and not f.default:
                inner = ", ".join(initializers(message, f.of)) or "0"
                out += [f"static const struct {f.struct} {f.shared_default()} = {{{inner}}};"]
        out += [f"void {name}_init(struct {name} *x) {{",
                f"    *x = (struct {name}){{{', '.join(initializers(message, struct)) or '0'}}};", "}", ""]
    return out


def source(stem, messages):
    out = [f"/* From schema/{stem} by gen/messages.py. */", f'#include "{stem}.h"', ""]
    for m in messages:
        structs = [*m.structs, m]
        out += init_functions(m)
        for make, which in ((reader, structs), (is_default, compared_structs(m)), (writer, structs), (shape, structs)):
            out += [line for s in which for line in [*make(m, s), ""]]
        out += [*public_functions(m), "", *any_functions(m), ""]
    return out


# --- tables -------------------------------------------------------------------------------------------------------------------

def api_tables(files):
    apis = sorted({m.api.key: m.api for ms in files.values() for m in ms if m.api}.values(), key=lambda a: a.key)
    keys = ["/* From schema/api by gen/messages.py. */", "#ifndef OTTLA_API_KEYS_H", "#define OTTLA_API_KEYS_H", "",
            "enum api_key {"] + [f"    API_{schema.snake(a.name).upper()} = {a.key}," for a in apis]
    keys += [f"    API_KEY_LAST = {apis[-1].key}", "};", "", "#endif"]
    rows = []
    for a in apis:
        first, last = a.request.versions
        if a.request.versions != a.response.versions or a.request.flexible != a.response.flexible:
            raise schema.Error(f"{a.name}: request and response have different versions")
        listeners = " | ".join(f"API_{s.upper()}" for s in a.listeners) or "0"
        both = [f"&{struct_name(m, m)}_message" if last >= first else "NULL" for m in (a.request, a.response)]
        rows.append(f'    {{API_{schema.snake(a.name).upper()}, "{a.name}", {first}, {last}, {last - a.unstable}, {first_flexible(a.request)}, '
                    f"{listeners}, {both[0]}, {both[1]}}},")
    return keys, ["/* From schema/api by gen/messages.py. */", '#include "wire/api.h"',
                  *[f'#include "api/{f}.h"' for f in files], "", "const struct api apis[] = {", *rows, "};",
                  f"const int apis_n = {len(rows)};"]


def message_table(folder):
    """All messages of both folders; folder is schema/."""
    kinds = ["record", "key", "value"]
    found = [m for part in ("api", "records") for m in schema.load(os.path.join(folder, part)) if m.versions != NONE]
    found.sort(key=lambda m: (m.type if m.api else 1000, "" if m.api else m.file, m.type if m.type is not None else -1,
                              kinds.index(m.kind) if m.kind in kinds else 0))
    names = [f"{struct_name(m, m)}_message" for m in found]
    return ["/* From schema/ by gen/messages.py. */", '#include "wire/message.h"', "",
            *[f"extern const struct message {n};" for n in names], "", "const struct message *const messages[] = {",
            *[f"    &{n}," for n in names], "};", f"const int messages_n = {len(names)};"]


def write(folder, name, lines):
    path, text = os.path.join(folder, name), "\n".join(lines) + "\n"
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
