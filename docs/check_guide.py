#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the guide to the program: each drop reason of datapath/drop.h has its row, and no other has one."""
import pathlib
import re
import sys

top = pathlib.Path(__file__).resolve().parent.parent
want = set(re.findall(r'DROP\([A-Z_0-9]+, "([a-z0-9-]+)"', (top / "datapath/drop.h").read_text())) - {"none"}
guide = (top / "docs/guide.md").read_text()
section = re.search(r"^## Packets are dropped$(.*?)^## ", guide, re.M | re.S).group(1)
have = re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.M)
bad = [f"docs/guide.md: no row for drop reason {n}" for n in sorted(want - set(have))]
bad += [f"docs/guide.md: {n} is no drop reason" for n in sorted(set(have) - want)]
bad += [f"docs/guide.md: {n} has two rows" for n in sorted(set(have)) if have.count(n) > 1]
print("\n".join(bad) or f"{len(have)} drop reasons")
sys.exit(1 if bad or not want else 0)
