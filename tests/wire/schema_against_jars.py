#!/usr/bin/env python3
"""Compares schema/ with the reference's jars, field by field: messages, error codes, header versions.

The jars are in $KAFKA_REF_HOME/libs or ~/.cache/kafka-reference/libs; without them the test is skipped. With
a new release of Kafka there, what this prints is the list of changes to make in schema/."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "../..")
sys.path.insert(0, os.path.join(root, "gen"))
import schema  # noqa: E402

SKIPPED = 77
KINDS = {"metadata": "record", "coordinator-key": "key", "coordinator-value": "value"}


def load_json(text):
    """JSON with comments, as the message files have them."""
    tokens = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.S)
    return json.loads(tokens.sub(lambda t: t[0] if t[0][0] == '"' else "", text))


def theirs(jars):
    for jar in jars:
        with zipfile.ZipFile(jar) as z:
            for name in z.namelist():
                if re.fullmatch(r"(common/)?(message|metadata)/\w+\.json", name):
                    yield load_json(z.read(name).decode())


class Differences:
    def __init__(self):
        self.found = []
        self.compared = 0

    def compare(self, where, what, ours, reference):
        self.compared += 1
        if ours != reference:
            self.found.append(f"{where}: {what} is {ours}, in the reference {reference}")


def lower_first(name):
    return name[0].lower() + name[1:]


def default_of(field):
    """The default as our notation has it: nothing for zero, false and empty."""
    value = field.get("default", "")
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return "" if text in ("0", "false") else text


def versions_of(text):
    return schema.parse_versions(text) if text else schema.NONE


def compare_fields(diff, where, ours, reference, structs):
    diff.compare(
        where, "the list of fields", [f.name for f in ours], [lower_first(f["name"]) for f in reference]
    )
    for our, their in zip(ours, reference):
        at = f"{where}.{our.name}"
        tagged = versions_of(their.get("taggedVersions"))
        diff.compare(at, "type", ("[]" if our.array else "") + our.type, their["type"])
        diff.compare(
            at, "versions", our.versions, versions_of(their["versions"]) if "versions" in their else tagged
        )
        diff.compare(at, "nullable", our.nullable, versions_of(their.get("nullableVersions")))
        diff.compare(at, "default", our.default, default_of(their))
        diff.compare(at, "tag", our.tag, their.get("tag"))
        diff.compare(at, "tagged", our.tagged, tagged)
        flexible = their.get("flexibleVersions")
        diff.compare(at, "flexible", our.flexible, versions_of(flexible) if flexible else None)
        diff.compare(at, "entity", our.entity, their.get("entityType", ""))
        if our.of:
            inner = their.get("fields") or structs.get(our.type, {}).get("fields", [])
            compare_fields(diff, at, our.of.fields, inner, structs)


def compare_message(diff, our, their):
    where = our.name
    diff.compare(where, "kind", our.kind, KINDS.get(their["type"], their["type"]))
    diff.compare(where, "number", our.type, their.get("apiKey"))
    diff.compare(where, "versions", our.versions, versions_of(their["validVersions"]))
    diff.compare(where, "flexible", our.flexible, versions_of(their.get("flexibleVersions", "none")))
    if our.kind == "request":
        diff.compare(where, "listeners", our.api.listeners, their.get("listeners", []))
        diff.compare(where, "unstable", our.api.unstable, their.get("latestVersionUnstable", False))
    structs = {s["name"]: s for s in their.get("commonStructs", [])}
    diff.compare(where, "common structs", sorted(s.name for s in our.common), sorted(structs))
    compare_fields(diff, where, our.fields, their.get("fields", []), structs)


def compare_messages(diff, ours, jars):
    names = set()
    for their in theirs(jars):
        names.add(their["name"])
        if their["name"] in ours:
            compare_message(diff, ours[their["name"]], their)
        else:
            diff.found.append(f"{their['name']} is not in our schema")
    diff.found += [f"{name} is not in the reference" for name in sorted(set(ours) - names)]
    return len(names)


def our_errors():
    with open(os.path.join(root, "schema/errors"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                code, name, retriable, *message = line.rstrip("\n").split(" ", 3)
                yield code, (name, retriable, message[0] if message else "")


def compare_facts(diff, ours, jars):
    """What only the reference's code knows; needs Java."""
    printed = subprocess.run(
        ["java", "-cp", ":".join(jars), os.path.join(here, "PrintFacts.java")],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout
    apis = {m.type: m for m in ours.values() if m.kind == "request"}
    errors, seen = dict(our_errors()), set()
    for line in printed.splitlines():
        kind, *parts = line.split("\t")
        if kind == "error":
            seen.add(parts[0])
            diff.compare(f"error {parts[0]}", "row", errors.get(parts[0]), tuple(parts[1:]))
        elif kind == "api":
            key, *versions = map(int, parts)
            first, last = apis[key].versions
            diff.compare(apis[key].name, "versions", [first, last - apis[key].api.unstable, last], versions)
        else:
            key, version, *headers = map(int, parts)
            flexible = schema.within(apis[key].flexible, version)
            expected = [2 if flexible else 1, 1 if flexible and apis[key].api.name != "ApiVersions" else 0]
            diff.compare(apis[key].name, f"headers of version {version}", expected, headers)
    diff.compare("schema/errors", "the list of codes", sorted(errors), sorted(seen))


def main():
    home = os.environ.get("KAFKA_REF_HOME") or os.path.expanduser("~/.cache/kafka-reference")
    jars = sorted(glob.glob(os.path.join(home, "libs", "*.jar")))
    if not jars:
        print(f"skipped: {home}/libs has no jars of the reference")
        return SKIPPED
    ours = {m.name: m for part in ("api", "records") for m in schema.load(os.path.join(root, "schema", part))}
    diff = Differences()
    count = compare_messages(diff, ours, [j for j in jars if os.path.basename(j).startswith("kafka-")])
    if shutil.which("java"):
        compare_facts(diff, ours, jars)
    else:
        print("without Java: error codes and header versions are not compared")
    print("\n".join(diff.found[:50]))
    print(f"{count} messages, {diff.compared} facts compared, {len(diff.found)} differ")
    return 1 if diff.found or not count else 0


sys.exit(main())
