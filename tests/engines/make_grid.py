"""Makes the small grid in a process of its own: `python -m tests.engines.make_grid STORE`.

It prints a line for every node that it made, and then the cells.
"""

import json
import sys
from pathlib import Path

from tests.studies.small import made, tiny

from expunge.engines.watch import Watch
from expunge.studies.grid import collect_cells
from expunge.studies.made import Makers


def told(node_id, label, seconds):
    if seconds is not None:
        sys.stdout.write(f"{node_id}\n")


if __name__ == "__main__":
    graph, cells = made(Path(sys.argv[1]), tiny(), watch=Watch(announce=told))
    sys.stdout.write(json.dumps(collect_cells(graph.store, cells, Makers())))
