#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the ids of errors (error_ids.h) and their numbers in each version (error_table.c) from errors.txt.

usage: gen_errors.py ids|table ERRORS OUTPUT
"""
import sys

VENDORS = {"nx": "NX_VENDOR", "onf": "ONF_VENDOR"}


def span(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def read(path):
    """names in order; {(name, version): (vendor, type, code)}; {name or prefix: name}."""
    names, numbers, near = [], {}, {}
    with open(path, encoding="ascii") as f:
        for line in f:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "at":
                vendor = words[2] if words[2] in VENDORS else None
                for word in words[3 if vendor else 2:]:
                    name, _, number = word.partition("=")
                    if name not in names:
                        sys.exit(f"{path}: {name}?")
                    kind, _, code = number.rpartition(".")
                    for v in span(words[1]):
                        numbers[name, v] = (vendor, int(kind or 0xffff), int(code))
            elif words[0] == "near":
                near.update(word.split("=") for word in words[1:])
            else:
                prefix, kind, since = words[0], words[1], int(words[2].rstrip(":"))
                for code, word in enumerate(words[3:]):
                    name, _, first = word.partition("@")
                    if name == "-":
                        continue
                    names.append(f"{prefix}_{name}")
                    for v in range(int(first or since), 7) if kind != "-" else ():
                        numbers[names[-1], v] = (None, int(kind), code)
    return names, numbers, near


def nearest(name, version, numbers, near):
    for _ in range(10):
        if (name, version) in numbers:
            return numbers[name, version]
        nxt = near.get(name, near.get(name.split("_")[0]))
        if nxt is None or nxt == name:
            nxt = near.get(name.split("_")[0])
        name = nxt
    sys.exit(f"no way from an error to one that version {version} has")


def ids(path, out):
    out.write("/* Made from errors.txt. */\n#ifndef OFPROTO_WIRE_ERROR_IDS_H\n#define OFPROTO_WIRE_ERROR_IDS_H\n\n"
              "enum of_error_id {\n\tOFE_OK,\n")
    for name in read(path)[0]:
        out.write(f"\tOFE_{name},\n")
    out.write("\tOFE_N_ERRORS\n};\n\n#endif\n")


def table(path, out):
    names, numbers, near = read(path)
    out.write('/* Made from errors.txt. */\n#include "ofproto/wire/wire_priv.h"\n\n'
              "const struct wire_error_row wire_error_row[OFE_N_ERRORS] = {\n\t[OFE_OK] = { .name = \"none\" },\n")
    for name in names:
        cells = []
        for v in range(1, 7):
            vendor, kind, code = nearest(name, v, numbers, near)
            cells.append(f"{{ {kind}, {code}, {VENDORS[vendor] if vendor else 0} }}")
        own = sum(1 << v for v in range(1, 7) if (name, v) in numbers)
        label = name if name.startswith("NX") else "OFP" + name.replace("FMFC10", "FMFC")
        out.write(f'\t[OFE_{name}] = {{ "{label}", {own:#x}, {{ {{ 0, 0, 0 }}, {", ".join(cells)} }} }},\n')
    out.write("};\n")


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("ids", "table"):
        sys.exit(__doc__)
    with open(sys.argv[3], "w", encoding="ascii") as out:
        (ids if sys.argv[1] == "ids" else table)(sys.argv[2], out)


main()
