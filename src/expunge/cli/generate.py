"""`expunge generate`: images that a diffusion model makes, as one picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    Engine,
    Model,
    Shard,
    Slurm,
    Store,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def generate(
    run: Model,
    out: Annotated[Path, typer.Option(help="The picture to write, NAME.png.", metavar="FILE")],
    per_class: Annotated[
        int, typer.Option(help="Images of every class, a row of the picture.", min=1)
    ] = 8,
    steps: Annotated[int, typer.Option(help="Steps of DDIM.", min=1)] = 25,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Make images of every class by a diffusion model: a row for each class, as one picture.

    A model and what was unlearned from it start from the same noise, so that pictures compare.
    """
    from expunge.atomic import replacing
    from expunge.cli.targets import check_new_file
    from expunge.errors import ConfigError
    from expunge.graph.kinds.generate import add_generate, load_images
    from expunge.graph.runtime import read_facts

    if out.suffix != ".png":
        raise ConfigError(f"--out {out}: expected a name that ends in .png")
    check_new_file(out)
    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    node = add_generate(graph, space.store.find(run), per_class, steps)
    space.run(graph)
    found = load_images(space.store.path(node))
    names = read_facts(space.store.path(graph.node(node).parents["data"])).class_names
    if not space.leads:
        return
    with replacing(out) as aside:
        _write_picture(found["images"], len(names), aside)
    if as_json:
        show_json({"run": node, "out": str(out), "rows": list(names), "per_class": per_class})
    else:
        say(f"{out}: {len(found['images'])} images, {per_class} of each class, by row:")
        say(", ".join(names))


def _write_picture(images: "npt.NDArray[np.uint8]", rows: int, path: Path) -> None:
    """Write images `(N, C, H, W)` of one or three channels, side by side in `rows` rows."""
    from PIL import Image

    count, channels, height, width = images.shape
    columns = count // rows
    tiled = images.reshape(rows, columns, channels, height, width).transpose(2, 0, 3, 1, 4)
    picture = tiled.reshape(channels, rows * height, columns * width)
    shown = picture[0] if channels == 1 else picture.transpose(1, 2, 0)
    Image.fromarray(shown).save(path, format="png")
