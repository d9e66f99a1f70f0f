"""Measure speed and memory, all in this run, and write the figures as JSON.

`python -m benchmarks.run` takes a few minutes, with `--full` some more.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from benchmarks import (
    accelerator,
    attacks,
    curvature,
    demo,
    draws,
    floors,
    growth,
    loading,
    overheads,
    prediction,
    results,
    seeds,
    training_loop,
)
from benchmarks.timing import Figure

Room = Callable[[int], Iterable[Figure]]

QUICK: Mapping[str, Room] = {
    "floors": floors.figures,
    "training_loop": partial(training_loop.figures, steps=2),
    "overheads": overheads.figures,
    "prediction": prediction.figures,
    "loading": loading.figures,
    "curvature": curvature.figures,
    "attacks": partial(attacks.figures, count=5000),
    "draws": draws.figures,
}
FULL: Mapping[str, Room] = {
    **QUICK,
    "training_loop": training_loop.figures,
    "attacks": attacks.figures,
    "accelerator": accelerator.figures,
    "seeds": seeds.figures,
    "demo": demo.figures,
    "growth": growth.figures,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(FULL)}; or all")
    parser.add_argument("--full", action="store_true", help="larger sizes, the demo, and growth")
    parser.add_argument("--out", type=Path, help="default: build/bench.json or bench-full.json")
    parser.add_argument("--rounds", type=int, help="default: 3, and 5 with --full")
    options = parser.parse_args()
    known = FULL if options.full else QUICK
    if strange := sorted(set(options.rooms) - set(known)):
        parser.error(f"no room {', '.join(strange)}: expected some of {', '.join(known)}")
    out = options.out or Path("build/bench-full.json" if options.full else "build/bench.json")
    rooms = {name: known[name] for name in options.rooms or known}
    failed = measure(rooms, options.rounds or (5 if options.full else 3), out)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the other figures are in {out}")


def measure(rooms: Mapping[str, Room], rounds: int, out: Path) -> list[str]:
    """Write the figures of all rooms as they come; the names of rooms that failed."""
    found: list[Figure] = []
    failed = []
    threads = torch.get_num_threads()
    for name, room in rooms.items():
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            for item in room(rounds):
                # Nodes that a room makes leave the threads of their network.
                torch.set_num_threads(threads)
                print(line(item), flush=True)
                found.append(item)
                results.write(out, figures=[asdict(item) for item in found])
        except Exception:
            traceback.print_exc()
            failed.append(name)
        finally:
            torch.set_num_threads(threads)
    return failed


def line(item: Figure) -> str:
    low, high = item.spread
    floor = "" if item.floor is None else f", floor {item.floor:.4g}"
    verdict = {True: "met", False: "NOT met", None: "no target"}[item.met]
    target = "" if item.target is None else f" {item.target:g}"
    return (
        f"{item.name}: {item.value:.4g} {item.unit} ({low:.4g}-{high:.4g}, n={item.n}{floor}); "
        f"{verdict}{target}"
    )


if __name__ == "__main__":
    main()
