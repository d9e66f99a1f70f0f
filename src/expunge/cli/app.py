"""The commands. Errors are one line on standard error, with exit code 2."""

import os
import sys

import typer

from expunge import __version__
from expunge.cli import (
    attribute,
    attribution,
    bench,
    cleanse,
    correct,
    demo,
    evaluate,
    generate,
    influence,
    leaderboard,
    listing,
    prune,
    pruning,
    report,
    runs,
    theory,
    train,
    transfer,
    tune,
    unlearn,
)
from expunge.cli.output import keep_printing, say, tell
from expunge.cli.settings import command_with
from expunge.errors import ExpungeError
from expunge.search_path import environment_of_children

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Make a trained model forget some of its training data, and prove it.",
    epilog="Start with: expunge demo --out demo",
)
# Training, pruner and method settings are dataclass fields, so their flags are read as extra
# arguments.
_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
_APPLICATION = "Applications"
_STUDY = "Studies"
_LIST = "What there is"

app.command("demo", epilog="Example: expunge demo --out demo --seeds 2")(demo.demo)
app.command(
    "train",
    cls=command_with(train.train_settings),
    context_settings=_SETTINGS,
    epilog="Example: expunge train --data digits --model resnet8 --epochs 20 --schedule one_cycle",
)(train.train)
app.command(
    "prune",
    context_settings=_SETTINGS,
    epilog="Example: expunge prune train-1a2b --method omp --sparsity 0.95",
)(prune.prune)
app.command(
    "unlearn",
    context_settings=_SETTINGS,
    epilog="Example: expunge unlearn train-1a2b --forget ids:delete.csv --method l1_sparse "
    "--gamma 0.001",
)(unlearn.unlearn)
app.command(
    "correct",
    rich_help_panel=_APPLICATION,
    context_settings=_SETTINGS,
    epilog="Example: expunge correct train-1a2b --labels right.csv --method l1_sparse --epochs 15",
)(correct.correct)
app.command(
    "cleanse",
    rich_help_panel=_APPLICATION,
    context_settings=_SETTINGS,
    epilog="Example: expunge cleanse train-1a2b --suspect spectral_signatures --method l1_sparse "
    "--trigger badnets --trigger.size 3",
)(cleanse.cleanse)
app.command(
    "tune",
    context_settings=_SETTINGS,
    epilog="Example: expunge tune ga --run train-1a2b --forget random:0.1 --trials 20",
)(tune.tune)
app.command(
    "evaluate", epilog="Example: expunge evaluate unlearn-1a2b --reference unlearn-3c4d --json"
)(evaluate.evaluate)
app.command(
    "generate",
    rich_help_panel=_APPLICATION,
    epilog="Example: expunge generate unlearn-1a2b --out after.png",
)(generate.generate)
app.command(
    "attribute",
    rich_help_panel=_APPLICATION,
    context_settings=_SETTINGS,
    epilog="Example: expunge attribute train-1a2b --targets wrong:5 --by unlearning --out why",
)(attribute.attribute)
app.command(
    "attribution",
    rich_help_panel=_STUDY,
    epilog="Example: expunge attribution recipes/attribution-digits.toml --out attribution-digits",
)(attribution.attribution)
app.command("bench", epilog="Example: expunge bench cifar10 --scale cpu --dry-run")(bench.bench)
app.command(
    "report",
    epilog="Example: expunge report demo --out shared-report; or: expunge report before after; or: "
    "expunge report demo --export latex table.tex",
)(report.report)
app.command("leaderboard", epilog="Example: expunge leaderboard results --out leaderboard.html")(
    leaderboard.leaderboard
)
app.command(
    "pruning",
    rich_help_panel=_STUDY,
    epilog="Example: expunge pruning recipes/pruners-digits.toml --out pruners-digits",
)(pruning.pruning)
app.command(
    "theory",
    rich_help_panel=_STUDY,
    context_settings=_SETTINGS,
    epilog="Example: expunge theory recipes/theory-digits.toml --out theory-digits",
)(theory.theory)
app.command(
    "theory-run",
    rich_help_panel=_STUDY,
    context_settings=_SETTINGS,
    epilog="Example: expunge theory-run train-1a2b --samples 1000",
)(theory.theory_run)
app.command(
    "influence",
    rich_help_panel=_APPLICATION,
    context_settings=_SETTINGS,
    epilog="Example: expunge influence train-1a2b --target data/flowers --subsets 200 --epochs 10",
)(influence.influence)
app.command(
    "transfer",
    rich_help_panel=_STUDY,
    epilog="Example: expunge transfer recipes/transfer-16px.toml --out transfer",
)(transfer.transfer)
app.command(
    "transfer-run",
    rich_help_panel=_APPLICATION,
    context_settings=_SETTINGS,
    epilog="Example: expunge transfer-run unlearn-1a2b --target data/flowers --fine-tune 10",
)(transfer.transfer_run)
app.command("methods", rich_help_panel=_LIST, epilog="Example: expunge methods l1_sparse")(
    listing.methods
)
app.command("metrics", rich_help_panel=_LIST, epilog="Example: expunge metrics mia_efficacy")(
    listing.metrics
)
app.command("detectors", rich_help_panel=_LIST, epilog="Example: expunge detectors strip")(
    listing.detectors
)
app.command("attributors", rich_help_panel=_LIST, epilog="Example: expunge attributors unlearning")(
    listing.attributors
)
app.add_typer(
    runs.app,
    name="runs",
    help="List, show and remove finished runs.",
    epilog="Example: expunge runs list --store demo/runs",
)


def _version(value: bool) -> None:
    if value:
        say(f"expunge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_version, is_eager=True
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; errors are one line on standard error and exit code 2."""
    keep_printing()
    environment = dict(os.environ)
    os.environ.update(environment_of_children())
    try:
        app(standalone_mode=True)
    except ExpungeError as error:
        _fail(f"error: {error}")
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(f"error: {error.strerror or error}{where}")
    except RuntimeError as error:
        if "home directory" not in str(error):
            raise
        # Of Python, for `~` and for the folder of decoded data.
        _fail(f"error: {error} Set HOME, or EXPUNGE_CACHE and paths without ~")
    finally:
        os.environ.clear()
        os.environ.update(environment)


def _fail(line: str) -> None:
    tell(" ".join(line.split()))
    sys.exit(2)
