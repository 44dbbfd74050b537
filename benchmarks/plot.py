"""Draw the curves of one kind of work, one panel a unit, from JSON on standard input; needs matplotlib alone."""

from __future__ import annotations

import json
import sys
from collections import defaultdict

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "ror-sante", "svg.fonttype": "none", "font.size": 9})

from matplotlib import pyplot as plt  # noqa: E402  after the choice of the backend


def main() -> None:
    asked = json.load(sys.stdin)
    counts = [int(count) for count in asked["points"]]
    curves = {name: [cost[name] for cost in asked["points"].values()] for name in next(iter(asked["points"].values()))}
    panels: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for name, values in curves.items():
        line, _, unit = name.rpartition(": ")
        panels[unit][line] = values
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3), squeeze=False)
    for panel, (unit, lines) in zip(axes[0], panels.items(), strict=True):
        for name, values in lines.items():
            panel.plot(counts, values, marker="o", markersize=3, label=name)
        panel.set(xscale="log", xlabel=asked["axis"], title=unit)
        if unit == "seconds":  # of work in all: in proportion to it, they are a straight line
            panel.set_yscale("log")
        else:
            panel.set_ylim(0, None)
        if any(lines):
            panel.legend(fontsize=7)
        panel.grid(visible=True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(asked["path"], metadata={"Date": None})


if __name__ == "__main__":
    main()
