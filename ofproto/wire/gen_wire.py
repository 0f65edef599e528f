#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables that get.c and put.c walk (wire_table.c) from messages.txt and actions.txt, whose heads say what
they may contain.

usage: gen_wire.py MESSAGES ACTIONS OUTPUT
"""
import re
import sys

LAYOUTS = ["nx", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "onf"]
VERSIONS = LAYOUTS[1:7]
NUMBER = {f"u{8 * n}": n for n in (1, 2, 4, 8)}
NUMBER_BE = {f"be{8 * n}": n for n in (2, 4, 8)}
FORMS = {"std": "STD", "nx": "NX", "nx2": "NX2", "onf": "ONF", "1_0": "1_0", "1_1": "1_1", "nx_tunnel": "NX_TUNNEL",
         "nx_tunnel64": "NX_TUNNEL64"}
VARIABLE = {"match", "matchp", "nxmatch", "nxmatchp", "meta", "nxmeta", "acts", "instr", "data", "list", "rows", "props",
            "hook", "one"}


def versions(text):
    """The set of layouts that a word like '1.0,1.2-,nx' names; None when it is no such word."""
    found = set()
    for part in text.split(","):
        m = re.fullmatch(r"(1\.[0-5])(-(1\.[0-5])?)?", part)
        if part in ("nx", "onf"):
            found.add(part)
        elif m:
            first = VERSIONS.index(m[1])
            last = VERSIONS.index(m[3]) if m[3] else len(VERSIONS) - 1 if m[2] else first
            found.update(VERSIONS[first:last + 1])
        else:
            return None
    return found


class Table:
    """What has been written so far; equal things are written once."""

    def __init__(self):
        self.out = []
        self.layouts = {}
        self.hooks = []
        self.consts = []
        self.asserts = {}
        self.structs = []
        self.props = []
        self.maps = []

    def index(self, what, name):
        if name not in what:
            what.append(name)
        return what.index(name)


class Layout:
    """The steps of one structure in one version."""

    def __init__(self, table, native, version, start=0, bad_len="BRC_BAD_LEN"):
        self.t, self.native, self.version, self.bad_len = table, native, version, bad_len
        self.at, self.tail, self.steps, self.len_at, self.lenof = start, False, [], 0xff, {}

    def offset(self, member):
        if member == ".":
            return "0"
        return f"offsetof(struct {self.native}, {member})"

    def size(self, member):
        return f"sizeof(((struct {self.native} *)0)->{member})"

    def step(self, op, member=None, width=0, native=None, count="0xffff", arg=0, fixed=True):
        if native is None:
            native = self.size(member) if member and member != "." else 0
        at = self.at if fixed else self.lenof.pop(member, 0xffff) if member else 0xffff
        self.steps.append(f"{{ WO_{op}, {width}, {native}, "
                          f"{at:#x}, {self.offset(member) if member else 0}, {count}, {arg} }}")
        if fixed:
            if self.tail and width:
                sys.exit(f"{self.native}: '{op} {member}' after a member without a fixed place")
            self.at += width

    def add(self, kind, args):
        opts = dict(a.split("=") for a in args if "=" in a)
        args = [a for a in args if "=" not in a]
        name = args[-1] if args else None
        if kind in NUMBER:
            width = NUMBER[kind]
            op, arg = "UINT", 0
            if "max" in opts:
                op, arg = "UINT_MAX", opts["max"]
            elif "add" in opts:
                op, arg = "UINT_ADD", opts["add"]
            else:
                self.t.asserts[f"{self.size(name)} >= {width}"] = f"{self.native}.{name}"
            self.step(op, name, width, arg=arg)
        elif kind in NUMBER_BE:
            self.step("BYTES", name, NUMBER_BE[kind])
        elif kind in ("port", "port16", "portbe"):
            width = 2 if kind == "port16" or self.version == "1.0" else 4
            self.step("PORT_BE" if kind == "portbe" else "PORT", name, width)
        elif kind == "mac":
            self.step("BYTES", name, 6)
        elif kind == "str":
            self.step("STR", name, int(args[0]))
        elif kind == "pad":
            if self.tail:
                self.step("SKIP", width=int(args[0]), fixed=False)
            else:
                self.at += int(args[0])
        elif kind == "length":
            self.len_at = self.at
            self.at += 2
        elif kind == "lenof":
            self.lenof[name] = self.at
            self.at += 2
        elif kind == "const":
            self.step("CONST", width=int(args[0]), arg=self.t.index(self.t.consts, args[1]))
        elif kind == "default":
            self.steps.append(f"{{ WO_DEFAULT, 0, {self.size(args[0])}, 0, {self.offset(args[0])}, 0xffff, "
                              f"(uint16_t){args[1]} }}")
        elif kind in ("bits", "values"):
            self.step(kind.upper(), name, int(args[0]), arg=f"WM_{args[1].upper()}")
        elif kind == "value":
            self.step("BYTES", "value", int(args[0]), native=args[0])
        elif kind == "sub":
            self.step("SUB", name, 6)
        elif kind == "hook_at":
            self.step("HOOK_AT", ".", int(args[0]), arg=self.t.index(self.t.hooks, name))
        elif kind == "match" and self.version == "1.0":
            self.step("MATCH10", name, 40, native=0)
        elif kind == "matchp" and self.version == "1.0":
            self.step("MATCH10P", name, 40, native=0)
        elif kind in VARIABLE:
            self.variable(kind, args, opts)
        else:
            sys.exit(f"{self.native}: unknown member '{kind}'")

    def variable(self, kind, args, opts):
        self.tail = True
        name, count, arg = args[-1], "0xffff", 0
        if kind in ("nxmatch",) and "cookie" in opts:
            count = self.offset(opts["cookie"])
        elif kind == "list":
            count, name = args[1].split(":")
            count = self.offset(count)
            arg = self.t.index(self.t.structs, args[0])
        elif kind == "rows":
            name, arg = ".", self.t.index(self.t.structs, args[0])
        elif kind == "one":
            arg = self.t.index(self.t.structs, args[0])
        elif kind == "props":
            name, arg = ".", self.t.index(self.t.props, args[0])
        elif kind == "hook":
            name, arg = ".", self.t.index(self.t.hooks, args[0])
        self.step(kind.upper(), name, native=0, count=count, arg=arg, fixed=False)

    def emit(self):
        """Writes it, once for all layouts that are equal, and returns its C name."""
        if self.lenof:
            sys.exit(f"{self.native} {self.version}: no member {list(self.lenof)}")
        native = f"sizeof(struct {self.native})" if self.native != "-" else "0"
        key = (tuple(self.steps), self.at, self.len_at, self.bad_len, native)
        if key not in self.t.layouts:
            n = len(self.t.layouts)
            self.t.layouts[key] = n
            if self.steps:
                self.t.out.append(f"static const struct wire_step steps_{n}[] = {{\n" +
                                  "".join(f"\t{s},\n" for s in self.steps) + "};\n")
            steps = f"steps_{n}" if self.steps else "NULL"
            self.t.out.append(f"static const struct wire_layout layout_{n} = {{ {steps}, {len(self.steps)}, {self.at}, "
                              f"{self.len_at:#x}, {native}, OFE_{self.bad_len} }};\n")
        return f"&layout_{self.t.layouts[key]}"


def lines(path):
    """(number, indented, words) of each line that says something."""
    with open(path, encoding="ascii") as f:
        for n, line in enumerate(f, 1):
            text = line.split("#")[0].rstrip()
            if text:
                yield n, text[0] == "\t", text.split()


def member(words):
    """(set of layouts, kind, arguments) of an indented line."""
    which = versions(words[0])
    if which is None:
        return set(LAYOUTS), words[0], words[1:]
    return which, words[1], words[2:]


def code(word):
    """(form, number, versions, layout) of a code like 'nx:31@1.0-1.4=1.5'."""
    m = re.fullmatch(r"(?:([^:]*):)?(\w+)(?:@([^=]*))?(?:=(.*))?", word)
    first, number, only, layout = m.groups()
    if first in ("nx", "onf"):
        return first, int(number, 0), versions(only) if only else set(VERSIONS), layout or first
    return "std", int(number, 0), versions(first) if first else set(VERSIONS), None


def mask(which):
    return hex(sum(1 << LAYOUTS.index(v) for v in which))


def read_maps(table, things):
    for kind, head, body in things:
        name, error = head[0], head[1] if len(head) > 1 else None
        for which, first, rest in body:
            words = [first] + rest
            same, pairs, write = 0, [], []
            for w in words:
                if w.startswith("same="):
                    if kind == "values":
                        same = int(w[5:]) + 1
                        continue
                    for part in w[5:].split(","):
                        a, _, b = part.partition("-")
                        for bit in range(int(a), int(b or a) + 1):
                            same |= 1 << bit
                elif ">" in w:
                    pairs.append(tuple(int(x) for x in w.split(">")))
                else:
                    native, wire = (int(x) for x in w.split("<"))
                    write.append((wire, native))
            if len(pairs) + len(write) > 6:
                sys.exit(f"map {name}: more than 6 pairs")
            text = ", ".join(f"{{ {a}, {b} }}" for a, b in pairs + write)
            for v in sorted(which):
                table.out.append(f"static const struct wire_map map_{name}_{LAYOUTS.index(v)} = {{ {same:#x}, {len(pairs)}, "
                                 f"{len(pairs) + len(write)}, OFE_{error or 'OK'}, {{ {text or '{ 0, 0 }'} }} }};\n")
        table.maps.append((name, {v for which, *_ in body for v in which}))


def build(table, native, body, version, start=0, bad_len="BRC_BAD_LEN"):
    layout = Layout(table, native, version, start, bad_len)
    for which, kind, args in body:
        if version in which:
            layout.add(kind, args)
    return layout.emit()


def condition(native, words):
    """C initialiser of a property's condition: kind, offset, size, value."""
    if not words:
        return "WC_ALWAYS, 0, 0, 0"
    if words[0] == "never":
        return "WC_NEVER, 0, 0, 0"
    value = words[2] if words[0] == "unless" else "0"
    return (f"WC_{words[0].upper()}, offsetof(struct {native}, {words[1]}), "
            f"sizeof(((struct {native} *)0)->{words[1]}), (uint16_t){value}")


def per_layout(table, native, body, bad_len="BRC_BAD_LEN", only=LAYOUTS):
    return [build(table, native, body, v, bad_len=bad_len) if v in only else "NULL" for v in LAYOUTS]


class Message:
    def __init__(self, name, native, codes, label, multipart=0):
        self.name, self.native, self.codes, self.label, self.multipart = name, native, codes, label, multipart
        self.body = []


def read_messages(path):
    maps, structs, props, messages = [], {}, {}, []
    body = None
    mp = None
    for n, indented, words in lines(path):
        if indented:
            body.append(member(words))
            continue
        body = []
        if words[0] in ("bits", "values"):
            maps.append((words[0], words[1:], body))
        elif words[0] == "struct":
            structs[words[1]] = (words[2], words[3] if len(words) > 3 else "BRC_BAD_LEN", body)
        elif words[0] == "props":
            props[words[1]] = (words[2], [])
            last_props = words[1]
        elif words[0] == "prop":
            number, _, which = words[1].partition("@")
            props[last_props][1].append((int(number, 0), versions(which) if which else set(LAYOUTS), words[2:], body))
        elif words[0] == "msg":
            label = words[3][3:] if words[3].startswith("as=") else words[1]
            codes = words[4:] if words[3].startswith("as=") else words[3:]
            messages.append(Message(words[1], words[2], codes, "OFPT_" + label))
            body = messages[-1].body
        elif words[0] == "mp":
            mp = words
        elif words[0] in ("request", "reply"):
            which = 1 if words[0] == "request" else 2
            m = Message(f"{mp[1]}_{words[0].upper()}", words[1], mp[2:], f"OFPST_{mp[1]} {words[0]}", which)
            if words[1] == "rows":
                m.native = "of_rows"
                m.body.append((set(LAYOUTS), "rows", [words[2]]))
            messages.append(m)
            body = m.body
        else:
            sys.exit(f"{path}:{n}: what is '{words[0]}'?")
    return maps, structs, props, messages


def emit_messages(table, messages):
    rows, exts = [], []
    types = {v: {} for v in VERSIONS}
    parts = {v: {} for v in VERSIONS}
    for m in messages:
        forms = [code(c) for c in m.codes]
        std = {v: number for form, number, which, _ in forms if form == "std" for v in which}
        used = set(std) | {layout for form, _, _, layout in forms if form != "std"}
        layouts = per_layout(table, m.native, m.body, only=used)
        for v, number in std.items():
            if m.multipart:
                if m.multipart == 1:
                    parts[v][number] = m.name
            else:
                types[v][number] = m.name
        for form, number, which, layout in forms:
            if form != "std" and m.multipart != 2:
                exts.append(f'{{ {number}, {mask(which)}, OFK_{m.name}, OFMF_{form.upper()}, '
                            f'{LAYOUTS.index(layout)}, {1 if m.multipart else 0} }}')
        label = m.label.replace("OFPT_NX_", "NXT_")
        size = f"sizeof(struct {m.native})" if m.native != "-" else "0"
        codes = ", ".join(str(std.get(v, 0xff)) for v in VERSIONS)
        rows.append(f'\t[OFK_{m.name}] = {{ "{label}", {size}, {m.multipart}, {{ 0xff, {codes} }},\n'
                    f'\t\t{{ {", ".join(layouts)} }} }},\n')
    table.out.append("const struct wire_kind wire_kind[OFK_N_KINDS] = {\n" + "".join(rows) + "};\n")
    table.out.append("const struct wire_ext wire_ext[] = {\n" + "".join(f"\t{e},\n" for e in exts) + "};\n"
                     f"const unsigned wire_n_ext = {len(exts)};\n")
    for name, codes in (("wire_type", types), ("wire_part", parts)):
        n = 36 if name == "wire_type" else 20
        table.out.append(f"const uint8_t {name}[7][{n}] = {{\n")
        for v in VERSIONS:
            row = ", ".join(f"OFK_{codes[v][i]}" if i in codes[v] else "0xff" for i in range(n))
            table.out.append(f"\t[{LAYOUTS.index(v)}] = {{ {row} }},\n")
        table.out.append("};\n")


def emit_props(table, props):
    for name in table.props:
        native, rows = props[name]
        out = []
        for number, which, cond, body in rows:
            layout = build(table, native, body, "1.4", start=4, bad_len="BPC_BAD_LEN")
            out.append(f"{{ {number:#x}, {mask(which)}, {condition(native, cond)}, {layout} }}")
        table.out.append(f"static const struct wire_prop props_{name}[] = {{\n" +
                         ("".join(f"\t{o},\n" for o in out) or "\t{ 0, 0, WC_NEVER, 0, 0, 0, NULL },\n") + "};\n")
    table.out.append("const struct wire_props wire_props[] = {\n")
    for name in table.props:
        table.out.append(f'\t{{ props_{name}, {len(props[name][1])} }},\n')
    table.out.append("};\n")


def emit_structs(table, structs):
    done = 0
    out = []
    while done < len(table.structs):        # Structures name others.
        name = table.structs[done]
        native, bad_len, body = structs[name]
        out.append(f"\t{{ {', '.join(per_layout(table, native, body, bad_len))} }},\n")
        done += 1
    table.out.append("const struct wire_layout *const wire_struct[][8] = {\n" + "".join(out) + "};\n")


def read_actions(path):
    acts = []
    for n, indented, words in lines(path):
        if indented:
            if words[0] in ("by", "field", "when"):
                acts[-1][words[0]] = words[1:]
            else:
                acts[-1]["body"].append(member(words))
        elif words[0] == "act":
            acts.append({"kind": words[1], "form": words[2], "native": words[3], "codes": words[4:], "body": []})
        else:
            sys.exit(f"{path}:{n}: what is '{words[0]}'?")
    return acts


def emit_actions(table, acts):
    rows = []
    by = []
    std = {v: {} for v in VERSIONS}
    nx = {}
    for i, a in enumerate(acts):
        codes = [code(c) for c in a["codes"]]
        form = codes[0][0]
        numbers = [0xffff] * 6
        layouts = ["NULL"] * 8
        which = set()
        for _, number, vs, _ in codes:
            which |= vs
            for v in vs:
                numbers[VERSIONS.index(v)] = number
                if form == "std":
                    std[v][number] = i
                elif form == "nx":
                    nx[number] = i
                if "by" not in a:
                    layouts[LAYOUTS.index(v)] = build(table, a["native"], a["body"], v, 4 if form == "std" else 10,
                                                      "BAC_BAD_LEN")
        hook = 0
        if "by" in a:
            if a["by"][0] not in by:
                by.append(a["by"][0])
            hook = by.index(a["by"][0]) + 1
        cond = "0, 0, 0"
        if "when" in a:
            cond = (f"offsetof(struct {a['native']}, {a['when'][0]}), sizeof(((struct {a['native']} *)0)->{a['when'][0]}), "
                    f"{a['when'][1]}")
        field = "OFF_" + a["field"][0].upper() if "field" in a else "OFF_NONE"
        rows.append(f"\t{{ OFA_{a['kind']}, OFA_FORM_{FORMS[a['form']]}, OFMF_{form.upper()}, {hook}, {field}, "
                    f"{mask(which)}, sizeof(struct {a['native']}),\n\t\t{{ 0xffff, {', '.join(map(str, numbers))} }}, {cond},\n"
                    f"\t\t{{ {', '.join(layouts)} }} }},\n")
    table.out.append("const struct wire_act wire_act[] = {\n" + "".join(rows) + f"}};\nconst unsigned wire_n_acts = {len(rows)};\n")
    table.out.append("const uint8_t wire_act_std[7][30] = {\n")
    for v in VERSIONS:
        row = ", ".join(str(std[v].get(i, 0xff)) for i in range(30))
        table.out.append(f"\t[{LAYOUTS.index(v)}] = {{ {row} }},\n")
    table.out.append("};\nconst uint8_t wire_act_nx[64] = { " +
                     ", ".join(str(nx.get(i, 0xff)) for i in range(64)) + " };\n")
    kinds = {}
    for i, a in enumerate(acts):
        kinds.setdefault(a["kind"], []).append(i)
    table.out.append("const struct wire_range wire_act_of[OFA_N_KINDS] = {\n")
    order = []
    for kind, idx in kinds.items():
        table.out.append(f"\t[OFA_{kind}] = {{ {len(order)}, {len(idx)} }},\n")
        order += idx
    table.out.append("};\nconst uint8_t wire_act_order[] = { " + ", ".join(map(str, order)) + " };\n")
    table.out.append("const struct wire_act_hook wire_act_hook[] = {\n\t{ NULL, NULL },\n" +
                     "".join(f"\t{{ wa_{b}_get, wa_{b}_put }},\n" for b in by) + "};\n")
    return by


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    maps, structs, props, messages = read_messages(sys.argv[1])
    acts = read_actions(sys.argv[2])
    table = Table()
    read_maps(table, maps)
    names = {name: i for i, (name, _) in enumerate(table.maps)}
    emit_messages(table, messages)
    # Properties may name structures and structures properties: names first.
    before = -1
    while before != (len(table.structs), len(table.props)):
        before = (len(table.structs), len(table.props))
        for name in list(table.structs):
            per_layout(table, structs[name][0], structs[name][2], structs[name][1])
    emit_structs(table, structs)
    emit_props(table, props)
    by = emit_actions(table, acts)
    with open(sys.argv[3], "w", encoding="ascii") as out:
        out.write('/* Made from messages.txt and actions.txt. */\n#include "ofproto/wire/wire_priv.h"\n\n')
        for i, name in enumerate(names):
            out.write(f"#define WM_{name.upper()} {i}\n")
        for hook in table.hooks:
            out.write(f"wire_get_fn wh_{hook}_get;\nwire_put_fn wh_{hook}_put;\n")
        for hook in by:
            out.write(f"wire_act_get_fn wa_{hook}_get;\nwire_act_put_fn wa_{hook}_put;\n")
        for expr, what in table.asserts.items():
            out.write(f'_Static_assert({expr}, "{what} holds what is on the wire");\n')
        out.write("\n" + "".join(table.out))
        out.write("const struct wire_map *const wire_map[][8] = {\n")
        for name, which in table.maps:
            row = ", ".join(f"&map_{name}_{i}" if v in which else "NULL" for i, v in enumerate(LAYOUTS))
            out.write(f"\t{{ {row} }},\n")
        out.write("};\nconst struct wire_hook wire_hook[] = {\n" +
                  "".join(f"\t{{ wh_{h}_get, wh_{h}_put }},\n" for h in table.hooks) + "};\n")
        out.write("const uint64_t wire_const[] = {\n" + "".join(f"\t{c}ull,\n" for c in table.consts) + "};\n")


main()
