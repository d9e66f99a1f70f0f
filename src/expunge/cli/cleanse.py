"""`expunge cleanse`: forget poisoned samples, and measure the Trojan before and after."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.made import write_out
from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Compiled,
    Device,
    Devices,
    DryRun,
    Engine,
    Model,
    Picture,
    Shard,
    Slurm,
    Sparsity,
    Store,
    Strategy,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, show_table, tell
from expunge.cli.plans import show_graph
from expunge.cli.prune import pruner_config
from expunge.cli.settings import by_prefix

if TYPE_CHECKING:
    from expunge.graph.graph import Graph

DOCUMENT = "cleanse.json"
WEIGHTS = "cleansed.safetensors"
IDS = "cleansed.ids.csv"
PREFIXES = ("prune", "trigger", "suspect")


def cleanse(
    context: typer.Context,
    run: Model,
    forget: Annotated[
        str | None,
        typer.Option(
            help="The poisoned samples: edited:badnets, ids:FILE, class:3 ...; default: those of "
            "the data's own edit with a trigger.",
            metavar="SCENARIO",
        ),
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="A file that lists the poisoned samples.", metavar="FILE")
    ] = None,
    suspect: Annotated[
        str | None,
        typer.Option(
            help="Forget what this detector suspects: see expunge detectors. Set it with "
            "--suspect.false_positives 0.1.",
            metavar="DETECTOR",
        ),
    ] = None,
    clean_ids: Annotated[
        Path | None,
        typer.Option(help="With --suspect: a file of samples known to be clean.", metavar="FILE"),
    ] = None,
    method: Annotated[str, typer.Option(help="ft, l1_sparse ...: see expunge methods.")] = "ft",
    pruner: Annotated[
        str | None,
        typer.Option("--prune", help="Prune first: omp ... Set it with --prune.rewind false."),
    ] = None,
    sparsity: Sparsity = None,
    trigger: Annotated[
        str | None,
        typer.Option(
            help="Put the trigger of this edit on test images, where the data have none of their "
            "own: badnets. Set it with --trigger.size 2 --trigger.target 7.",
            metavar="EDIT",
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Also forget only these shares of the poison: 0.1,0.25,0.5.", metavar="SHARES"
        ),
    ] = None,
    retrain: Annotated[
        bool,
        typer.Option("--retrain", help="Also retrain without the same samples, to compare with."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for cleanse.json, the cleansed weights, the forgotten ids and, with "
            "--known, a figure.",
            metavar="DIR",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Forget what poisoned a model, and measure its Trojan. Further flags set the method."""
    from expunge.cli.targets import check_folder
    from expunge.config import from_flags
    from expunge.errors import ConfigError, StoreError
    from expunge.graph.outcome import check_diverged
    from expunge.methods import get_method
    from expunge.studies.cleanse import Request, collect_cleanse, plan_cleanse

    words = by_prefix(context.args, PREFIXES)
    for prefix, option in (("prune", pruner), ("trigger", trigger), ("suspect", suspect)):
        if option is None and words[prefix]:
            raise ConfigError(f"--{prefix}.SETTING needs --{prefix} NAME")
    if pruner is None and sparsity is not None:
        raise ConfigError("--sparsity needs a pruner: add --prune omp")
    if suspect is None and clean_ids is not None:
        raise ConfigError("--clean-ids needs --suspect DETECTOR")
    config = from_flags(get_method(method).config, words[""], f"cleanse {method}")
    pruning = None if pruner is None else pruner_config(pruner, sparsity, words["prune"])
    suspecting = {} if suspect is None else _suspecting(suspect, words["suspect"], clean_ids)
    if out is not None:
        check_folder(out)
        if there := [name for name in (DOCUMENT, WEIGHTS, IDS) if (out / name).exists()]:
            raise StoreError(f"{out / there[0]} already exists: choose another --out")
    space = session(
        store, device, devices, strategy, compiled, engine, workers, shard=shard, slurm=slurm
    )
    graph = space.graph()
    given = space.store.find(run)
    request = Request(
        scenario=_scenario(graph, given, forget, ids, suspect),
        method=method,
        config=config,
        pruner=pruner,
        pruning=pruning,
        trigger=None if trigger is None else _trigger(trigger, words["trigger"]),
        known=_known(known),
        retrain=retrain,
        suspecting=suspecting,
    )
    planned = plan_cleanse(graph, given, request, space.together)
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    space.run(graph)
    if not space.leads:
        return
    check_diverged(space.store.path(planned.model_id))
    found = collect_cleanse(space.store, planned)
    if out is not None:
        from expunge.graph.kinds.forget import load_forget
        from expunge.report.cleanse import write_curve
        from expunge.runs import write_document
        from expunge.scenarios.id_file import csv_of_ids

        out.mkdir(parents=True, exist_ok=True)
        write_out(space, planned.model_id, out / WEIGHTS)
        listed = load_forget(space.store.path(planned.stages[-1].forget_id))["ids"]
        (out / IDS).write_text(csv_of_ids(listed), encoding="utf-8", newline="")
        write_document(out / DOCUMENT, found)
        for path in write_curve(found, out):
            tell(f"figure: {path}")
    if as_json:
        show_json({**found, "out": None if out is None else str(out)})
    else:
        _print(found)


def _scenario(
    graph: "Graph", run: str, forget: str | None, ids: Path | None, suspect: str | None
) -> str:
    """The one scenario that the options name; else that of the data's own poison."""
    from expunge.errors import ConfigError
    from expunge.studies.cleanse import own_scenario

    named = {
        "--forget": forget,
        "--ids": None if ids is None else f"ids:{ids}",
        "--suspect": None if suspect is None else f"suspected:{suspect}",
    }
    given = {option: scenario for option, scenario in named.items() if scenario is not None}
    if len(given) > 1:
        raise ConfigError(f"expected one of {', '.join(named)}, got {' and '.join(given)}")
    scenario = next(iter(given.values()), None) or own_scenario(graph, run)
    if scenario is None:
        raise ConfigError(
            f"which samples are poisoned? The data of {run} have no edit with a trigger: add --ids "
            "FILE, --suspect DETECTOR or --forget SCENARIO"
        )
    return scenario


def _trigger(name: str, words: list[str]) -> dict[str, dict[str, Any]]:
    from expunge.config import parse_flags
    from expunge.data.edits import get_edit

    return {name: parse_flags(get_edit(name).config, words, f"cleanse --trigger {name}")}


def _suspecting(detector: str, words: list[str], clean_ids: Path | None) -> dict[str, Any]:
    """The arguments of `add_suspect` that the flags set."""
    from expunge.cli.settings import Flags, read_flags
    from expunge.config import from_mapping
    from expunge.detectors import get_detector
    from expunge.detectors.trust import Trust
    from expunge.scenarios.id_file import read_ids

    cls = get_detector(detector).config
    where = f"cleanse --suspect {detector}"
    groups = [Flags(cls, "Detector"), Flags(Trust, "Clean samples")]
    settings, trust = read_flags(words, groups, where)
    return {
        "config": from_mapping(cls, settings, where),
        "trust": from_mapping(Trust, trust, where),
        **({} if clean_ids is None else {"clean_ids": read_ids(clean_ids)}),
    }


def _known(text: str | None) -> tuple[float, ...]:
    from expunge.errors import ConfigError

    try:
        return tuple(float(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        raise ConfigError(
            f"--known {text}: expected shares between 0 and 1, as in --known 0.1,0.25,0.5"
        ) from None


def _print(found: Mapping[str, Any]) -> None:
    from rich.table import Table

    triggered = any("asr" in row["metrics"] for row in found["stages"])
    names = {"asr": "ASR", "asr_all": "ASR over all"} if triggered else {}
    names |= {"ta": "SA"}
    table = Table(header_style="bold")
    table.add_column("model")
    shares = {row["share"] for row in found["stages"]} - {None, 1.0}
    for name in (*(["known"] if shares else []), "forgotten", *names.values()):
        table.add_column(name, justify="right")
    for row in found["stages"]:
        known = "" if row["share"] is None else f"{100 * row['share']:g} %"
        table.add_row(
            _stage(row, found),
            *([known] if shares else []),
            str(row["forgotten"] or ""),
            *(_value(row, name) for name in names),
        )
    show_table(table)
    say("In brackets: 95 % intervals over test images, which are about these models alone.")
    for row in found["stages"]:
        for name, reason in row["reasons"].items():
            say(f"Not measured: {name} of the model {_stage(row, found)}; {reason}.")
    if found["suspects"] is not None:
        say(f"Suspected by {found['suspects']}.")
    if found["verdict"] is not None:
        say(f"{found['verdict'][:1].upper()}{found['verdict'][1:]}.")
    say(found["run"])


def _stage(row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if row["stage"] == "given":
        return "as given"
    if row["stage"] == "pruned":
        return f"pruned by {found['pruner']}"
    return "retrained" if row["stage"] == "retrained" else f"after {found['method']}"


def _value(row: Mapping[str, Any], name: str) -> str:
    value, counted = row["metrics"].get(name), row["samples"].get(name)
    if value is None:
        return "—"
    return f"{value:.2f}" + (
        "" if counted is None else f" ({counted['low']:.0f}-{counted['high']:.0f})"
    )
