"""Show the model that a command has made, and write it where its user wants it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.cli.options import show_json
from expunge.cli.output import say, tell

if TYPE_CHECKING:
    from expunge.cli.session import Session


def show_made(
    space: "Session", run_id: str, as_json: bool, found: dict[str, Any], out: Path | None = None
) -> None:
    """Print a run's id, or as JSON all that is known of it; `out` is where it was written."""
    if as_json:
        written = None if out is None else str(out)
        path = str(space.store.path(run_id))
        show_json({"run": run_id, "path": path, "out": written, **found})
    else:
        say(run_id)


def write_out(space: "Session", run_id: str, out: Path) -> None:
    """Write a run's weights into the file `out`, or its network into the folder `out`.

    Raises:
        StoreError: it cannot be written; the run stays in the store.
    """
    from expunge.atomic import creating, making
    from expunge.errors import StoreError

    writing, write = (creating, _write_weights) if out.suffix else (making, _write_folder)
    try:
        with writing(out) as aside:
            write(space, run_id, aside)
    except OSError as error:
        raise StoreError(
            f"cannot write {out} ({error.strerror}); the model is {run_id} in the store"
        ) from error


def _write_weights(space: "Session", run_id: str, out: Path) -> None:
    """Write a run's weights, with the names that those of its original model had."""
    from expunge.graph.model_files import WEIGHTS, load_model
    from expunge.graph.record import load_record
    from expunge.runs import checked

    path = space.store.path(run_id)
    origin = space.store.path(space.graph().origin_of(run_id))
    if not load_record(origin).get("inner"):
        shutil.copyfile(checked(path, WEIGHTS), out)
        return
    from expunge.models.weights import save_inner_weights

    save_inner_weights(load_model(path)[0], out)


def _write_folder(space: "Session", run_id: str, out: Path) -> None:
    """Write a run's network as the library transformers does."""
    from expunge.graph.model_files import load_model
    from expunge.models.pretrained import save_pretrained

    model, spec, _ = load_model(space.store.path(run_id))
    for note in save_pretrained(model, spec, out):
        tell(f"note: {note}")
