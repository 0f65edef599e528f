#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the ids (field_ids.h) and the tables (field_table.c) of match fields from fields.txt.

usage: gen_fields.py ids|table FIELDS OUTPUT
"""
import re
import sys

CLASSES = {"oxm": 0x8000, "nxm": 0x0000, "nx": 0x0001, "xreg": 0x8001, "onf": 0xffff, "weft": 0xffff}
EXPERIMENTERS = {"onf": 0x4f4e4600, "weft": 0x57656674}
PRINTS = {"dec", "hex", "port", "mac", "ipv4", "ipv6", "ethtype", "vid", "tos", "frag", "tcpflags", "tunflags",
          "ctstate"}
NEEDS = {"-": "NONE", "in_port": "IN_PORT", "vlan": "VLAN", "ip": "IP", "ipv4": "IPV4", "ipv6": "IPV6", "arp": "ARP",
         "mpls": "MPLS", "pbb": "PBB", "tcp": "TCP", "udp": "UDP", "sctp": "SCTP", "icmp": "ICMP", "icmp6": "ICMP6",
         "nd": "ND", "nd_sol": "ND_SOL", "nd_adv": "ND_ADV"}
FLAGS = {"m": "OF_FIELD_MASKABLE", "w": "OF_FIELD_WRITABLE", "r": "OF_FIELD_PIPELINE", "v": "OF_FIELD_VARIABLE"}


def read(path):
    fields = []
    with open(path, encoding="ascii") as f:
        for n, line in enumerate(f, 1):
            line = line.split("#")[0].split()
            if not line:
                continue
            if len(line) != 8:
                sys.exit(f"{path}:{n}: {len(line)} columns, not 8")
            names, where, bits, codes, since, flags, needs, form = line
            member, low = where.rsplit(":", 1)
            bits = int(bits)
            if form not in PRINTS or needs not in NEEDS:
                sys.exit(f"{path}:{n}: unknown form '{form}' or need '{needs}'")
            wire = []
            for code in codes.split(","):
                m = re.fullmatch(r"(\w+)\.(\d+)(?:/(\d+))?", code)
                if not m or m[1] not in CLASSES:
                    sys.exit(f"{path}:{n}: bad code '{code}'")
                wire.append((m[1], int(m[2]), int(m[3] or (bits + 7) // 8)))
            fields.append({"names": names.split("|"), "member": member, "low": int(low), "bits": bits, "wire": wire,
                           "since": 0 if since == "-" else int(since, 16), "needs": NEEDS[needs], "form": form.upper(),
                           "flags": " | ".join(FLAGS[c] for c in flags if c != "-") or "0"})
    return fields


def ident(field):
    return "OFF_" + field["names"][0].upper()


def ids(fields, out):
    out.write("/* Made from fields.txt. */\n#ifndef OFPROTO_WIRE_FIELD_IDS_H\n#define OFPROTO_WIRE_FIELD_IDS_H\n\n"
              "enum of_field {\n")
    for f in fields:
        out.write(f"\t{ident(f)},\n")
    n_codes = sum(len(f["wire"]) for f in fields)
    n_names = sum(len(f["names"]) for f in fields)
    out.write(f"\tOFF_N_FIELDS,\n\tOFF_NONE = 0xff\n}};\n\nenum {{ OFF_N_CODES = {n_codes}, OFF_N_NAMES = {n_names} }};\n\n#endif\n")


def table(fields, out):
    out.write('/* Made from fields.txt. */\n#include "ofproto/field.h"\n\n'
              "const struct of_field_info of_field_info[OFF_N_FIELDS] = {\n")
    for f in fields:
        cls, code, length = f["wire"][0]
        out.write(f'\t[{ident(f)}] = {{ .name = "{f["names"][0]}", .offset = offsetof(struct oflow, {f["member"]}),\n'
                  f'\t\t.size = sizeof(((struct oflow *)0)->{f["member"]}) > {(f["bits"] + f["low"] + 7) // 8} ? '
                  f'sizeof(((struct oflow *)0)->{f["member"]}) : {(f["bits"] + f["low"] + 7) // 8}, '
                  f'.low = {f["low"]}, .bits = {f["bits"]}, .since = {f["since"]},\n'
                  f'\t\t.flags = {f["flags"]}, .needs = OF_NEED_{f["needs"]}, .form = OF_FORM_{f["form"]} }},\n')
    out.write("};\n\nconst struct of_field_code of_field_code[OFF_N_CODES] = {\n")
    for f in fields:
        for cls, code, length in f["wire"]:
            exp = f"{EXPERIMENTERS.get(cls, 0):#x}"
            out.write(f"\t{{ {ident(f)}, {CLASSES[cls]:#06x}, {code}, {length}, {exp} }},\n")
    out.write("};\n\n")
    index = {cls: ["OFF_N_CODES"] * 128 for cls in ("oxm", "nxm", "nx", "xreg")}
    first, n = [], 0
    for f in fields:
        first.append(str(n))
        for cls, code, length in f["wire"]:
            if cls in index:
                index[cls][code] = str(n)
            n += 1
    out.write("const uint8_t of_field_code_index[4][128] = {\n" +
              "".join("\t{ " + ", ".join(codes) + " },\n" for codes in index.values()) + "};\n\n"
              f"const uint8_t of_field_code_first[OFF_N_FIELDS] = {{ {', '.join(first)} }};\n\n"
              "_Static_assert(OFF_N_CODES < 256, \"an index fits a byte\");\n\n")
    out.write("const struct of_field_code of_field_var_code[OF_TUN_MD_MAX][OF_FIELD_VAR_LEN + 1] = {\n")
    for f in (f for f in fields if "VARIABLE" in f["flags"]):
        cls, code, _ = f["wire"][0]
        out.write("\t{ " + ", ".join(f"{{ {ident(f)}, {CLASSES[cls]:#06x}, {code}, {n}, 0 }}" for n in range(125)) + " },\n")
    out.write("};\n\n")
    out.write("const struct of_field_name of_field_name[OFF_N_NAMES] = {\n")
    for f in fields:
        for name in f["names"]:
            out.write(f'\t{{ "{name}", {ident(f)} }},\n')
    out.write("};\n")


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("ids", "table"):
        sys.exit(__doc__)
    fields = read(sys.argv[2])
    with open(sys.argv[3], "w", encoding="ascii") as out:
        (ids if sys.argv[1] == "ids" else table)(fields, out)


main()
