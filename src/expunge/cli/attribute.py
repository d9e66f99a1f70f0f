"""`expunge attribute`: which training samples predictions rest on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    DryRun,
    Engine,
    Model,
    Picture,
    Shard,
    Slurm,
    Store,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables

if TYPE_CHECKING:
    from expunge.cli.session import Session


def attribute(
    context: typer.Context,
    run: Model,
    targets: Annotated[
        str,
        typer.Option(
            help="The samples to explain: wrong:5 (the worst mistakes on test samples), draw:20, "
            "ids:FILE, or ids of test or training samples with commas between them.",
            metavar="IDS",
        ),
    ] = "wrong:5",
    by: Annotated[
        str, typer.Option(help="unlearning, gradient_similarity, or ekfac (an extra).")
    ] = "unlearning",
    top: Annotated[
        int, typer.Option(help="Show so many helpful and harmful samples per target.", min=1)
    ] = 5,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write a page with pictures here, a folder.", metavar="DIR"),
    ] = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Show which training samples help and harm predictions.

    Further flags set the attributor: --measure cosine, --steps 5.
    """
    from expunge.attribution import check_installed, get_attributor
    from expunge.cli.targets import check_folder
    from expunge.config import from_flags
    from expunge.graph.runtime import read_facts
    from expunge.graph.targets import parse_targets
    from expunge.report.explanation import explanation_tables, write_explanation
    from expunge.studies.explanation import collect_explanation, plan_explanation

    attributor = get_attributor(by)
    config = from_flags(attributor.config, context.args, f"attribute {by}")
    check_installed(attributor)
    wanted = parse_targets(targets)
    if out is not None:
        check_folder(out)
    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    model = space.store.find(run)
    facts = read_facts(space.store.path(graph.data_of(graph.model(model).id)))
    explanation = plan_explanation(graph, model, by, config, wanted, facts)
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    space.run(graph)
    found = collect_explanation(space.store, explanation, top)
    if out is not None:
        from expunge.runs import write_document

        words = "".join(f" {word}" for word in context.args)
        reproduce = f"expunge attribute {model} --targets {targets} --by {by} --top {top}{words}"
        pictures = _pictures(space, model, found) if facts.kind == "images" else {}
        page = write_explanation(found, pictures, out, reproduce)
        write_document(out / "explanation.json", found)
        found = {**found, "page": str(page)}
    if as_json:
        show_json(found)
        return
    for note in found["notes"]:
        tell(f"note: {note}")
    print_tables(explanation_tables(found))
    if out is not None:
        say(f"\nPage: {found['page']}")


def _pictures(space: "Session", model: str, found: dict[str, Any]) -> dict[str, Any]:
    """The images of the targets and of the samples that are shown, by id: uint8 `(H, W[, 3])`."""
    from expunge.graph.lineage import forgotten_by

    data = space.store.path(space.graph().data_of(model))
    dataset = space.runtime.dataset(data, forgotten_by(space.store.path(model)))
    shown = [
        sample["id"]
        for target in found["targets"]
        for side in ("helpful", "harmful")
        for sample in target[side]
    ]
    targets = dataset.train if found["population"] == "train" else dataset.test
    wanted = [target["id"] for target in found["targets"]]
    return {**images(dataset.train, shown), **images(targets, wanted)}


def images(samples: Any, ids: list[str]) -> dict[str, Any]:
    """The images of the samples with these ids, as far as they are there: uint8 `(H, W[, 3])`."""
    import torch

    place = {name: row for row, name in enumerate(samples.ids)}
    names = list(dict.fromkeys(name for name in ids if name in place))
    if not names:
        return {}
    (found,) = samples.inputs.batches([torch.tensor([place[name] for name in names])])
    channels_last = found.cpu().permute(0, 2, 3, 1)
    # Two or four channels are no colours that a picture can show.
    shown = channels_last if channels_last.shape[-1] == 3 else channels_last[..., 0]
    return dict(zip(names, shown.numpy(), strict=True))
