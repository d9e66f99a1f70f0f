"""Measure speed as ratios, all in this run, and write them as JSON."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import attacks
import curvature
import training_loop
from expunge.runs import environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures = []
    for room in (training_loop, attacks, curvature):
        print(f"measuring {room.__name__} ...", file=sys.stderr)
        for item in room.figures(options.rounds):
            low, high = item.spread
            verdict = {True: "met", False: "NOT met", None: ""}[item.met]
            print(
                f"{item.name}: {item.value:.3f} {item.unit} ({low:.3f}-{high:.3f}, n={item.n}; "
                f"target {item.target}) {verdict}",
                flush=True,
            )
            figures.append(item)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "schema": 1,
        "env": environment(),
        "figures": [asdict(item) for item in figures],
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
