#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the ids of errors (error_ids.h) from errors.txt.

usage: gen_errors.py ids ERRORS OUTPUT
"""
import sys


def read(path):
    rows = []
    with open(path, encoding="ascii") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if not line or line.startswith("at "):
                continue
            head, codes = line.split(":")
            prefix, number, since = head.split()
            for code, word in enumerate(codes.split()):
                name, _, first = word.partition("@")
                if name != "-":
                    rows.append((f"{prefix}_{name}", int(number), code, int(first or since)))
    return rows


def main():
    if len(sys.argv) != 4 or sys.argv[1] != "ids":
        sys.exit(__doc__)
    with open(sys.argv[3], "w", encoding="ascii") as out:
        out.write("/* Made from errors.txt. */\n#ifndef OFPROTO_WIRE_ERROR_IDS_H\n#define OFPROTO_WIRE_ERROR_IDS_H\n\n"
                  "enum of_error_id {\n\tOFE_OK,\n")
        for name, *_ in read(sys.argv[2]):
            out.write(f"\tOFE_{name},\n")
        out.write("\tOFE_N_ERRORS\n};\n\n#endif\n")


main()
