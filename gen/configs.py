#!/usr/bin/env python3
"""schema/configs/{broker,topic,group,client-metrics} -> ids and tables of config/, and docs/configuration.md.

usage: configs.py ids  SOURCE... TARGET    enum cfg_id, tcfg_id, gcfg_id, mcfg_id (config/def.h)
       configs.py rows SOURCE... TARGET    the tables of struct config_def (config/def.c)
       configs.py docs SOURCE... TARGET    one Markdown page for users

The notation is described at the top of schema/configs/broker. The order of names is the order of ids.
"""
import os
import re
import sys

PREFIX = {"broker": "CFG", "topic": "TCFG", "group": "GCFG", "client-metrics": "MCFG"}
TYPES = ["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"]
MODES = ["read-only", "cluster", "broker", "dynamic"]
FLAGS = ["internal", "dynamic-only"]
IMPORTANCE = ["high", "medium", "low"]
NAMED_CHECKS = ["non-empty", "non-null", "gzip-level", "throttled-replicas", "share-reset", "voters",
                "bootstrap-servers"]
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"


class Key:
    """One paragraph of the source."""

    def __init__(self, words):
        self.name, self.type, default, self.importance, mode, *check = words
        self.mode, *self.flags = mode.split(",")
        self.required = default == "required"
        self.default = None if default in ("null", "required") else "" if default == '""' else default
        self.check_text = check[0] if check else ""
        if len(check) > 1 or self.type not in TYPES or self.importance not in IMPORTANCE \
                or self.mode not in MODES or not set(self.flags) <= set(FLAGS):
            raise ValueError("a word that is not known")
        self.check, self.low, self.high, self.choices = parse_check(self.check_text)
        self.synonyms = []  # (name, factor)
        self.doc = ""

    def id(self, section):
        return PREFIX[section] + "_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper())


def parse_check(text):
    """-> (enum name without its prefix, low, high, choices)."""
    if not text:
        return "NONE", None, None, []
    if m := re.fullmatch(rf">=({NUMBER})", text):
        return "RANGE", m[1], None, []
    if m := re.fullmatch(rf"({NUMBER})\.\.({NUMBER})", text):
        return "RANGE", m[1], m[2], []
    if m := re.fullmatch(r"list(!?)(\??)(?::(.+))?", text):
        name = "LIST" + ("_NOT_EMPTY" if m[1] else "") + ("_OR_NULL" if m[2] else "")
        return name, None, None, m[3].split(",") if m[3] else []
    if m := re.fullmatch(r"(in|any-case):(.+)", text):
        return {"in": "CHOICE", "any-case": "CHOICE_ANY_CASE"}[m[1]], None, None, m[2].split(",")
    if text in NAMED_CHECKS:
        return text.upper().replace("-", "_"), None, None, []
    raise ValueError(f"no check is called {text}")


def read(path):
    keys, doc = [], []

    def end_paragraph():
        if doc:
            keys[-1].doc = " ".join(doc)
            doc.clear()

    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            try:
                if line.startswith("#") or not line:
                    continue
                if line.startswith("    = "):
                    for word in line[6:].split(" | "):
                        name, _, factor = word.partition("*")
                        keys[-1].synonyms.append((name, int(factor or 1)))
                elif line.startswith("    "):
                    doc.append(line.strip())
                else:
                    end_paragraph()
                    keys.append(Key(line.split(" ")))
                    if len(keys) > 1 and keys[-2].name >= keys[-1].name:
                        raise ValueError(f"{keys[-1].name} is out of order")
            except ValueError as e:
                sys.exit(f"{path}:{number}: {e}")
    end_paragraph()
    for key in keys:
        if not key.doc:
            sys.exit(f"{path}: {key.name} has no documentation")
    return keys


def c_text(s):
    return "NULL" if s is None else '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_ids(sections, out):
    out.write("/* From schema/configs by gen/configs.py. */\n")
    for section, keys in sections.items():
        p = PREFIX[section]
        out.write(f"enum {p.lower()}_id {{\n")
        for key in keys:
            out.write(f"    {key.id(section)},\n")
        out.write(f"    {p}_COUNT\n}};\n")


def write_rows(sections, out):
    out.write("/* From schema/configs by gen/configs.py. */\n")
    broker = {key.name: key for key in sections["broker"]}
    for section, keys in sections.items():
        p = PREFIX[section].lower()
        for i, key in enumerate(keys):
            if key.choices:
                texts = ", ".join(map(c_text, key.choices))
                out.write(f"static const char *const {p}_choices_{i}[] = {{{texts}, NULL}};\n")
            if key.synonyms:
                for name, _ in key.synonyms:
                    if name not in broker:
                        sys.exit(f"{section}: {key.name}: no broker key is called {name}")
                same = ", ".join(f"{{{broker[name].id('broker')}, {factor}}}" for name, factor in key.synonyms)
                out.write(f"static const struct config_same {p}_same_{i}[] = {{{same}}};\n")
        out.write(f"static const struct config_def {p}_defs[] = {{\n")
        for i, key in enumerate(keys):
            fields = [f".name = {c_text(key.name)}", f".fallback = {c_text(key.default)}",
                      f".doc = {c_text(key.doc)}", f".type = CONFIG_TYPE_{key.type}",
                      f".importance = CONFIG_IMPORTANCE_{key.importance.upper()}",
                      f".mode = CONFIG_MODE_{key.mode.upper().replace('-', '_')}", f".check = CHECK_{key.check}"]
            if key.low:
                fields.append(f".low = {key.low}, .has_low = true")
            if key.high:
                fields.append(f".high = {key.high}, .has_high = true")
            if key.choices:
                fields.append(f".choices = {p}_choices_{i}")
            if key.synonyms:
                fields.append(f".same = {p}_same_{i}, .same_n = {len(key.synonyms)}")
            fields += [f".{flag.replace('-', '_')} = true" for flag in key.flags]
            if key.required:
                fields.append(".required = true")
            out.write(f"    [{key.id(section)}] = {{{', '.join(fields)}}},\n")
        out.write("};\n")


MODE_TEXT = {"read-only": "restart", "cluster": "at run time, for all brokers or one",
             "broker": "at run time, one broker"}
INTRO = """# Configuration

Made from `schema/configs` by `gen/configs.py`; do not edit. Names, types and defaults are those of
Apache Kafka 4.3.1. A broker key goes into `server.properties` or `--override key=value`; `ottla config` shows all
and changes what can change at run time.
"""
TITLES = {"broker": "Broker and node", "topic": "Topics", "group": "Groups",
          "client-metrics": "Client metrics subscriptions"}


def allowed(key):
    if key.check == "RANGE":
        return f"at least {key.low}" if not key.high else f"{key.low} to {key.high}"
    return ", ".join(f"`{c}`" for c in key.choices)


def default_text(key):
    if key.required:
        return "required"
    return "no default" if key.default is None else f"default `{key.default}`" if key.default else "default empty"


def write_docs(sections, out):
    out.write(INTRO)
    for section, keys in sections.items():
        out.write(f"\n## {TITLES[section]}\n")
        for key in keys:
            if "internal" in key.flags:
                continue
            facts = [key.type.lower(), default_text(key)]
            if allowed(key):
                facts.append(allowed(key))
            if section == "broker":
                facts.append(f"changes: {MODE_TEXT[key.mode]}")
            elif key.synonyms:
                facts.append("broker default: " + ", ".join(f"`{name}`" for name, _ in key.synonyms))
            out.write(f"\n### {key.name}\n\n{key.doc}\n\n*{'; '.join(facts)}*\n")


def main(what, *paths):
    *sources, target = paths
    sections = {os.path.basename(p): read(p) for p in sources}
    with open(target, "w", encoding="utf-8") as out:
        {"ids": write_ids, "rows": write_rows, "docs": write_docs}[what](sections, out)


main(*sys.argv[1:])
