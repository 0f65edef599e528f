# SPDX-License-Identifier: Apache-2.0
"""The plots of the flow cache's table: plain SVG, written line by line.  Not a program."""
import math
import os

import patterns_rows as rows

INK, FAINT, GRID = "#1f2933", "#697386", "#e4e7ec"
WEFT, OVS, PACKAGED, LEAST, GOAL = "#0b63ce", "#d9480f", "#f0a07a", "#1f2933", "#9aa5b1"
FONT = "font-family=\"system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif\""


class Svg:
    def __init__(self, width, height, title):
        self.out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {FONT}>',
                    f"<title>{title}</title>", f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def line(self, x1, y1, x2, y2, color, width=1.0, dash=""):
        self.out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"' +
                        (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def path(self, points, color, width, dash=""):
        if len(points) > 1:
            self.out.append('<polyline points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) +
                            f'" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"' +
                            (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def dot(self, x, y, color, r=3.5, hollow=False):
        fill = "#ffffff" if hollow else color
        self.out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{fill}" stroke="{color}" stroke-width="1.5"/>')

    def rect(self, x, y, w, h, color):
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0.8):.1f}" height="{h:.1f}" fill="{color}"/>')

    def text(self, x, y, what, size=11, color=INK, anchor="start", bold=False, halo=False):
        what = str(what).replace("&", "&amp;").replace("<", "&lt;")
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}"' +
                        (' font-weight="600"' if bold else "") +
                        (' paint-order="stroke" stroke="#ffffff" stroke-width="3"' if halo else "") + f">{what}</text>")

    def write(self, path):
        with open(path, "w") as f:
            f.write("\n".join(self.out) + "\n</svg>\n")


def short(n):
    return f"{n // 1000000}M" if n >= 1000000 else f"{n // 1000}k" if n >= 1000 else str(n)


# --- Fractions of testpmd against the number of flows

TOP = 1.6
PANELS = (("one rule", "port"), ("one prefix rule", "prefix"), ("5-tuple megaflows (ECMP)", "ecmp"),
          ("security groups: 1,000 rules, 3 masks", "secgroup"), ("ACL: 10,000 rules, 20 masks", "acl"), ("NORMAL: 1,000 MAC pairs", "normal"))


def panel(svg, x, y, w, h, title, kind, figures):
    series = [(r, figures.steady(r)) for r in rows.STEADY if r.kind == kind]
    lo, hi = math.log10(min(r.flows for r, _ in series)), math.log10(max(r.flows for r, _ in series))
    if lo == hi:
        lo, hi = lo - 1, hi + 1
    margin = 26

    def at(flows, v):
        return x + margin + (math.log10(flows) - lo) / (hi - lo) * (w - 2 * margin), y + h - min(v, TOP) / TOP * h

    svg.text(x, y - 10, title, 12.5, bold=True)
    for v in (0, 0.5, 1.0, 1.5):
        yy = at(series[0][0].flows, v)[1]
        svg.line(x, yy, x + w, yy, FAINT if v in (0, 1.0) else GRID, 1, "4 3" if v == 1.0 else "")
        svg.text(x - 6, yy + 4, f"{v:.1f}", 10, FAINT, "end")
    for r, _ in series:
        svg.text(at(r.flows, 0)[0], y + h + 15, short(r.flows), 10.5, FAINT, "middle")
    for r, _ in series:
        for v, color, width in ((r.least, LEAST, 2.2), (r.goal, GOAL, 2.2)):
            px, py = at(r.flows, v)
            svg.line(px - 15, py, px + 15, py, color, width)
    series = [(r, s["point"]) for r, s in series]
    for what, color, dash in (("packaged", PACKAGED, "3 3"), ("ovs", OVS, ""), ("weft", WEFT, "")):
        points = [(at(r.flows, p[what][0]), p[what][1]) for r, p in series if what in p]
        svg.path([xy for xy, _ in points], color, 2.4 if what == "weft" else 1.8, dash)
        for xy, where in points:
            svg.dot(*xy, color, 4 if what == "weft" else 3.2, where == "far")
    for r, p in series:
        for what, color in (("ovs", OVS), ("weft", WEFT)):
            if what not in p:
                continue
            v = p[what][0]
            px, py = at(r.flows, v)
            under = len({"weft", "ovs"} & set(p)) == 2 and (p["weft"][0] < p["ovs"][0]) == (what == "weft")
            lift = 17 if under and py < y + h - 20 else -9
            if what == "ovs" and py > y + h - 20:
                lift = -8
            label = f"{v:.2f}" if v >= 0.01 else f"{v:.1g}"
            svg.text(px, py + lift, label, 10.5, color, "middle", bold=what == "weft", halo=True)


def fractions(figures, path):
    w, h, gap_x, gap_y = 262, 190, 58, 74
    svg = Svg(3 * w + 3 * gap_x + 20, 2 * h + 2 * gap_y + 100, "Throughput as a fraction of testpmd io")
    svg.text(24, 30, "Throughput as a fraction of testpmd io, 64-byte packets, one switch core", 15.5, bold=True)
    for i, (title, kind) in enumerate(PANELS):
        panel(svg, 54 + i % 3 * (w + gap_x), 92 + i // 3 * (h + gap_y), w, h, title, kind, figures)
    y, x = 92 + 2 * h + gap_y + 50, 54
    for label, color, dash in (("Weft", WEFT, ""), ("OVS 3.1, best tuning", OVS, ""), ("OVS 3.1 as packaged", PACKAGED, "3 3")):
        svg.line(x, y - 4, x + 26, y - 4, color, 2.2, dash)
        svg.dot(x + 13, y - 4, color, 3.5)
        svg.text(x + 33, y, label, 11.5)
        x += 52 + 6.6 * len(label)
    for label, color, width in (("Weft at least", LEAST, 2.2), ("goal", GOAL, 2.2)):
        svg.line(x, y - 4, x + 26, y - 4, color, width)
        svg.text(x + 33, y, label, 11.5)
        x += 52 + 6.6 * len(label)
    svg.text(x + 10, y, "across: number of flows", 11.5, FAINT)
    svg.text(54, y + 22, "Hollow points: measured with the CPUs far from each other, where the generator is the limit.", 11, FAINT)
    svg.write(path)


# --- What is not a fraction of testpmd: bars, on a scale of powers of ten where figures are far apart

def bars(svg, x, y, w, title, unit, lines, lo, hi, log=True, form="{:,.0f}"):
    """'lines': what, OVS, Weft, and the mark."""
    def at(v):
        v = min(max(v, lo), hi)
        return (math.log10(v / lo) / math.log10(hi / lo) if log else (v - lo) / (hi - lo)) * w

    svg.text(x, y - 14, title, 12.5, bold=True)
    ticks = [10.0 ** e for e in range(math.ceil(math.log10(lo)), math.floor(math.log10(hi)) + 1)] if log else \
        [lo + (hi - lo) * i / 4 for i in range(5)]
    bottom = y + 52 * len(lines) - 6
    for t in ticks:
        svg.line(x + at(t), y, x + at(t), bottom, GRID)
        svg.text(x + at(t), bottom + 14, form.format(t), 10, FAINT, "middle")
    svg.text(x + w, bottom + 28, unit, 10, FAINT, "end")
    for i, (what, ovs, weft, mark) in enumerate(lines):
        top = y + 6 + 52 * i
        svg.text(x - 8, top + 18, what, 11, INK, "end")
        for k, (v, color) in enumerate(((ovs, OVS), (weft, WEFT))):
            if v is not None:
                svg.rect(x, top + 17 * k, at(v), 14, color)
        if mark is not None:
            svg.line(x + at(mark), top - 3, x + at(mark), top + 34, LEAST, 2)
        for k, (v, color) in enumerate(((ovs, OVS), (weft, WEFT))):
            if v is None:
                continue
            svg.text(x + at(v) + 5, top + 17 * k + 11, form.format(v), 10.5, color, bold=color == WEFT, halo=True)


def others(figures, path):
    svg = Svg(980, 500, "New flows, memory, neighbours, latency")
    svg.text(24, 30, "New flows, memory, neighbours and latency", 15.5, bold=True)
    new = [(r, figures.new(r)) for r in rows.NEW]
    bars(svg, 190, 84, 240, "New flows a second", "flows/s", [(r.name.replace("new flows, ", ""), n["ovs"], n["weft"], r.least * r.ovs)
                                                      for r, n in new], 1e3, 1e7)
    m = figures.memory()
    bars(svg, 190, 342, 240, "Resident memory per cached flow", "bytes", [("5-tuple megaflows", m["ovs"], m["weft"], 400)], 10, 1e4)
    loss = []
    for r in rows.ATTACKS:
        a = figures.attack(r)
        loss.append((r.name, *(max(a[s, "flat out"], 0) if a[s, "flat out"] is not None else None for s in ("ovs", "weft")), 0.2))
    bars(svg, 650, 84, 240, "What a guest at full speed loses to an attack", "of its throughput", loss, 0, 1, False, "{:.0%}")
    lat = [figures.latency(*k) for k in (("ovs", "bigfl", True), ("ovs", "default", True), ("weft", "", True))]
    ovs = min((x["p999"] for x in lat[:2] if x), default=None)
    bars(svg, 650, 342, 240, "p99.9 latency under churn", "us",
         [("steady flow", ovs, lat[2]["p999"] if lat[2] else None, ovs / 2 if ovs else None)], 1, 1e5)
    y = 470
    for label, color in (("OVS 3.1", OVS), ("Weft", WEFT)):
        svg.rect(190 + (110 if label == "Weft" else 0), y, 14, 12, color)
        svg.text(210 + (110 if label == "Weft" else 0), y + 11, label, 11.5)
    svg.line(382, y - 2, 382, y + 14, LEAST, 2)
    svg.text(390, y + 11, "Weft at least (new flows) or at most (the others)", 11.5)
    svg.write(path)


def draw(figures, directory):
    os.makedirs(directory, exist_ok=True)
    fractions(figures, os.path.join(directory, "cache-fractions.svg"))
    others(figures, os.path.join(directory, "cache-others.svg"))
