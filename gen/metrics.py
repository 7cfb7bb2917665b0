#!/usr/bin/env python3
"""schema/metrics -> metric_list.h: METRIC(id, name, type, help) for each family, in order; or metrics.md, for people."""
import re
import sys

TYPES = {"counter", "gauge", "histogram"}


def name_of(mbean, kind):
    """kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec, counter → kafka_server_brokertopicmetrics_bytesin_total"""
    if ":" not in mbean:
        name = mbean
    else:
        domain, rest = mbean.split(":", 1)
        rest, _, attribute = rest.partition("/")
        properties = dict(p.split("=") for p in rest.split(","))
        last = re.sub("PerSec$", "", properties.get("name", attribute))
        name = re.sub(r"\W", "_", f"{domain}_{properties['type']}_{last}".lower())
    return name + "_total" if kind == "counter" else name


def families(source):
    found, seen = [], set()
    with open(source, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            if line[0].isspace():
                found[-1]["help"] += (" " if found[-1]["help"] else "") + line.strip()
                continue
            identity, mbean, kind, *labels = line.split()
            if kind not in TYPES or identity in seen:
                sys.exit(f"{source}:{number}: {kind} is no type, or {identity} is there already")
            seen.add(identity)
            found.append(
                {"id": identity, "mbean": mbean, "type": kind, "labels": labels, "help": "", "name": name_of(mbean, kind)}
            )
    missing = [f["id"] for f in found if not f["help"]]
    if missing:
        sys.exit(f"{source}: no help for {', '.join(missing)}")
    return found


def header(found):
    rows = [f'METRIC({f["id"]}, "{f["name"]}", "{f["type"]}", "{f["help"]}")' for f in found]
    return "\n".join(["/* From schema/metrics by gen/metrics.py. */", *rows]) + "\n"


def document(found):
    out = ["# Metrics", "", "Made from schema/metrics, which says how the names follow from Apache Kafka's MBeans.", ""]
    out += ["| name | type | labels | Apache Kafka | what |", "|---|---|---|---|---|"]
    for f in found:
        mbean = f"`{f['mbean']}`" if f["mbean"].startswith("kafka") else ""
        out.append(f"| `{f['name']}` | {f['type']} | {', '.join(f['labels'])} | {mbean} | {f['help']} |")
    return "\n".join(out) + "\n"


def main(what, source, target):
    found = families(source)
    with open(target, "w", encoding="utf-8") as f:
        f.write(header(found) if what == "list" else document(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
