#!/usr/bin/env python3
"""schema/errors -> kerr_list.h: X(name, code, retriable, message) for each error code, in the order of the codes."""
import sys


def main(source, target):
    rows = []
    with open(source, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            code, name, retriable, *message = line.rstrip("\n").split(" ", 3)
            if int(code) != len(rows) - 1:
                sys.exit(f"{source}:{number}: code {code} is out of order: {len(rows) - 1} comes here")
            rows.append(f'X({name}, {code}, {retriable}, "{message[0] if message else ""}")')
    with open(target, "w", encoding="utf-8") as f:
        f.write("/* From schema/errors by gen/errors.py. */\n" + "\n".join(rows) + "\n")


main(*sys.argv[1:])
