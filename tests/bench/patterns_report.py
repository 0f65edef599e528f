# SPDX-License-Identifier: Apache-2.0
"""What patterns.py has measured, as a table and for its plots.  Not a program.

A fraction is that of two measurements of one use that met the same distance of the CPUs: the switch's figure by the mean of
testpmd's before and after it.  A measurement's figure is the median of its quiet slices: both cores were ours, the ring of the
generator was full (the switch was the limit), and the probe on the switch's core cost at most 1.15 of the best on this
machine at that distance.  Where the ring was full in less than half of them the generator was the limit, and all quiet ones
count.  Measurements with fewer than three quiet slices do not count.  A row's figure is the median of its fractions; with the CPUs close to each other and far apart are two, since with them far the generator is everybody's limit
and fractions say little."""
import statistics

import patterns_rows as rows

# Between these lines a document has the tables.
BEGIN, END = "<!-- patterns.py --report: from here -->\n", "<!-- patterns.py --report: to here -->\n"
QUIET, SAME, FULL, ENOUGH = 1.15, 1.4, 0.3, 3


def line(m):
    """One measurement as it was taken."""
    d = "-".join(str(x) for x in m["distance"])
    head = f"{m['row']:<32} {m['switch']:<8}{m['setting']:<8} {d:>10}"
    if m["kind"] == "steady":
        t = " ".join(f"{k} {v:.3f}" for k, v in (m.get("tiers") or {}).items())
        print(f"{head} {m['mpps']:7.3f} Mpps full {m['full']:.2f} {m['cycles'] or 0:5.0f} cycles {t}", flush=True)
    else:
        skip = ("row", "kind", "switch", "setting", "distance", "time", "use", "commit", "slices")
        print(head, {k: v for k, v in m.items() if k not in skip}, flush=True)


def middle(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


class Figures:
    """All measurements of a file; Weft's of some builds only, if asked."""

    def __init__(self, past, commit=None):
        self.past = past
        self.commits = commit.split(",") if commit else None
        seen = [x for m in past for x in m["distance"]]
        # Where the CPUs were, in two sorts if they were ever moved.
        self.border = (min(seen) * max(seen)) ** 0.5 if seen and max(seen) > 2 * min(seen) else None
        self.best = {}
        for where in ("close", "far"):
            cost = sorted(s[4] for m in past if m["kind"] == "steady" and self.where(m) == where
                          for s in m["slices"] if len(s) >= 6 and s[3] and s[4])
            self.best[where] = cost[len(cost) // 20] if cost else 0

    def where(self, m):
        if max(m["distance"]) > SAME * min(m["distance"]):
            return None
        return "close" if self.border is None or max(m["distance"]) < self.border else "far"

    def mpps(self, m):
        """The figure of one measurement, and whether it is of quiet slices."""
        clean = [s for s in m["slices"] if s[3]]
        quiet = [s for s in clean if len(s) < 6 or s[4] <= QUIET * self.best[self.where(m)]]
        # Where the generator was the limit for most of the time it was for all of it: the rest is chance.
        full = [s for s in quiet if s[2] >= FULL]
        quiet = full if 2 * len(full) >= len(quiet) else quiet
        for slices in (quiet, clean, m["slices"]):
            if len(slices) >= ENOUGH:
                return statistics.median(s[0] for s in slices) / 1e6, slices is quiet
        return m["mpps"], False

    def latest(self, name):
        """The builds whose figures of a row count: those asked for, the last one if they have none."""
        mine = [m["commit"] for m in self.past if m["row"] == name and m["switch"] == "weft"]
        return [c for c in self.commits or () if c in mine] or mine[-1:]

    def of(self, name, switch, setting=""):
        at = self.latest(name)
        return [m for m in self.past if m["row"] == name and m["switch"] == switch and
                (m["commit"] in at if switch == "weft" else not setting or m["setting"] == setting)]

    def fractions(self, name, switch, setting=""):
        """Of each measurement that met what testpmd met: the fraction, where, the figure, cycles, its slices."""
        out = []
        for m in self.of(name, switch, setting):
            if not self.where(m):
                continue
            near = [t for t in self.of(name, "testpmd") if t["use"] == m["use"] and self.where(t) == self.where(m) and
                    max(t["distance"] + m["distance"]) <= 1.6 * min(t["distance"] + m["distance"])]
            at = [self.past.index(t) - self.past.index(m) for t in near]
            beside = [t for t, d in zip(near, at) if d in (max((x for x in at if x < 0), default=0), min((x for x in at if x > 0), default=0))]
            if not beside:
                continue
            mine, quiet = self.mpps(m)
            base, quiets = zip(*(self.mpps(t) for t in beside))
            out.append({"fraction": mine / statistics.mean(base), "where": self.where(m), "mpps": mine, "testpmd": statistics.mean(base),
                        "cycles": m.get("cycles"), "quiet": quiet and all(quiets)})
        return [x for x in out if x["quiet"]]

    def steady(self, row):
        """Medians by where the CPUs were; what counts is where Weft was measured with them close, else far."""
        f = {"weft": self.fractions(row.name, "weft"), **{s: self.fractions(row.name, "ovs", s) for s in row.tried}}

        def at(where):
            one = {k: middle(x["fraction"] for x in v if x["where"] == where) for k, v in f.items()}
            ovs = [one[s] for s in row.tried if one[s] is not None]
            return {"weft": one["weft"], "packaged": one.get("default"), "ovs": max(ovs) if ovs else None,
                    "cycles": middle(x["cycles"] for x in f["weft"] if x["where"] == where),
                    "n": sum(x["where"] == where for x in f["weft"]), "where": where}

        close, far = at("close"), at("far")
        return {"close": close, "far": far, **(close if close["weft"] is not None or far["weft"] is None else far),
                "point": {k: (x[k], x["where"]) for k in ("weft", "ovs", "packaged") for x in (far, close) if x[k] is not None}}

    def new(self, row):
        return {s: middle(m["pps"] for m in self.of(row.name, s) if m["rx"] >= 0.99 * m["flows"]) for s in ("weft", "ovs")}

    def memory(self):
        return {s: middle(m["each"] for m in self.of(rows.MEMORY, s)) for s in ("weft", "ovs")}

    def attack(self, row):
        """Which share of its throughput the victim lost, flat out, and which of the million packets a second that it wants."""
        out = {}
        for s in ("weft", "ovs"):
            all_of = self.of(row.name, s)
            for mine, what in ((0, "flat out"), (1000000, "paced")):
                loss, peace = [], None
                for m in all_of:
                    if m["mine"] != mine:
                        continue
                    if m["stream"] == rows.PEACE:
                        peace = m
                    elif peace and (mine or self.where(m) and self.where(m) == self.where(peace)):
                        loss.append((bool(m.get("clean", 1) and peace.get("clean", 1)), 1 - m["got"] / peace["got"]))
                out[s, what] = middle(x for clean, x in loss if clean or not any(c for c, _ in loss))
        return out

    def latency(self, switch, setting, changing):
        of = [m["lat"] for m in self.of(rows.LATENCY, switch, setting) if m["changing"] == changing]
        return {k: middle(x[k] for x in of) for k in ("p50", "p99", "p999")} if of else None


def num(x, form="{:.2f}"):
    if x is None:
        return "-"
    if form == "{:.2f}" and (0 < x < 0.01 or x >= 100):
        return f"{x:.2g}" if x < 1 else f"{x:,.0f}"
    return form.format(x)


def share(x):
    return "-" if x is None else f"{max(x, 0):.0%}" if x >= 0.1 else f"{max(x, 0):.1%}"


def verdict(x, least, goal, less=False):
    if x is None:
        return "-"
    if less:
        return "goal" if x <= goal else "met" if x <= least else "**missed**"
    return "goal" if x >= goal else "met" if x >= least else "**missed**"


def table(head, lines):
    text = "| " + " | ".join(head) + " |\n|" + " --- |" * len(head) + "\n"
    return text + "".join("| " + " | ".join(str(c) for c in cells) + " |\n" for cells in lines)


def tables(f):
    """The tables, in Markdown."""
    lines = []
    for row in rows.STEADY:
        s = f.steady(row)
        lines.append((row.name, *(num(s["close"][k]) for k in ("packaged", "ovs", "weft")), num(s["close"]["cycles"], "{:.0f}"), s["close"]["n"],
                      *(num(s["far"][k]) for k in ("ovs", "weft")), num(s["far"]["cycles"], "{:.0f}"), s["far"]["n"], row.ovs, row.least,
                      row.goal, verdict(s["weft"], row.least, row.goal) + (" (far)" if s["where"] == "far" else "")))
    yield table(("fraction of testpmd io", "CPUs close: OVS as packaged", "OVS at its best", "Weft", "cycles", "rounds", "far: OVS", "Weft",
                 "cycles", "rounds", "baselines: OVS", "at least", "goal", ""), lines)

    lines = []
    for row in rows.NEW:
        n = f.new(row)
        least = row.least * row.ovs
        lines.append((row.name, num(n["ovs"], "{:,.0f}"), num(n["weft"], "{:,.0f}"), f"{row.least} x {row.ovs:,}", f"{row.goal:,}",
                      verdict(n["weft"], least, row.goal) if n["weft"] and n["weft"] < least or row.goal >= least else
                      verdict(n["weft"], least, least)))
    m = f.memory()
    lines.append(("resident bytes per cached flow", num(m["ovs"], "{:,.0f}"), num(m["weft"], "{:,.0f}"), 400, 200,
                  verdict(m["weft"], 400, 200, less=True)))
    for row in rows.ATTACKS:
        a = f.attack(row)
        for what in ("flat out", "paced"):
            lines.append((f"victim's loss, {what}: {row.name}", share(a["ovs", what]), share(a["weft", what]), "20 %", "10 %",
                          verdict(a["weft", what], 0.2, 0.1, less=True)))
    rest = {(s, t, c): f.latency(s, t, c) for s, t in (("testpmd", "io"), ("weft", ""), ("ovs", "bigfl"), ("ovs", "default")) for c in (False, True)}
    ovs = min((x["p999"] for k, x in rest.items() if k[0] == "ovs" and k[2] and x), default=None)
    weft = rest["weft", "", True]
    lines.append(("p99.9 under churn, us", num(ovs), num(weft["p999"] if weft else None), "half of OVS", "a tenth",
                  verdict(weft["p999"], ovs / 2, ovs / 10, less=True) if weft and ovs else "-"))
    yield table(("", "OVS", "Weft", "at least", "goal", ""), lines)

    names = {"io": "testpmd", "": "Weft", "bigfl": "OVS, room for 2,000,000 flows", "default": "OVS as packaged"}
    yield table(("100,000 packets/s, latency in us", "p50", "p99", "p99.9"),
                [(f"{names[t]}, {'under churn' if c else 'at rest'}", *(num(x[k]) for k in ("p50", "p99", "p999")))
                 for (s, t, c), x in rest.items() if x])


def report(past, commit, svg, doc):
    f = Figures(past, commit)
    text = "\n".join(tables(f))
    print(text)
    if svg:
        import patterns_plot
        patterns_plot.draw(f, svg)
    if doc:
        with open(doc) as d:
            before, rest = d.read().split(BEGIN)
        with open(doc, "w") as d:
            d.write(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
