"""How names and numbers are written, the same in tables, figures and prose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from expunge.statistics.intervals import Interval

RETRAIN = "retrain"
"""The method that all others are compared with."""

ORIGINAL = "original"
"""The model before anything is unlearned."""

RETRAIN_AGAIN = "retrain_again"
"""Retrain by another seed, whose gap is a floor for all gaps."""

REFERENCES = (RETRAIN, RETRAIN_AGAIN, ORIGINAL)
"""What methods are compared with, in the order of tables."""

CLASS_BY_SEED = "class:seed"
"""The scenario in which every seed forgets another class."""

MISSING = "—"
"""What stands where there is no number."""


def method_label(method: str) -> str:
    """What a method is called in print: acronyms in capitals, ℓ for l.

    >>> [method_label(name) for name in ("retrain", "ft", "l1_sparse", "random_label")]
    ['Retrain', 'FT', 'ℓ1-sparse', 'random-label']
    """
    if method in (RETRAIN, ORIGINAL):
        return method.capitalize()
    if method == RETRAIN_AGAIN:
        return "Retrain, another seed"
    label = printable(method).replace("_", "-")
    if label.startswith(("l1-", "l2-")):
        return "ℓ" + label[1:]
    return label.upper() if len(label) <= 3 else label


def cell_label(cell: Mapping[str, Any]) -> str:
    """What a cell's method is called in print: its title, or its method's name and its label.

    >>> cell_label({"method": "ga"}), cell_label({"method": "ga_fast", "of": "ga"})
    ('GA', 'GA (ga_fast)')
    >>> cell_label({"method": "ga_fast", "of": "ga", "title": "GA, large steps"})
    'GA, large steps'
    """
    label = str(cell["method"])
    if cell.get("title") is not None:
        return printable(cell["title"])
    name = cell.get("of")
    return method_label(label) if name is None else f"{method_label(name)} ({printable(label)})"


_SHARES = {
    "random": "Forget {amount} at random",
    "draw": "Forget {amount} at random, draw {number}",
    "memorised": "Forget the most memorised {amount}",
}


def scenario_label(scenario: str) -> str:
    """What is forgotten, in words where the scenario is one of the usual ones.

    >>> scenario_label("class:3"), scenario_label("random:0.1"), scenario_label("ids:bad.csv")
    ('Forget class 3', 'Forget 10 % at random', 'Forget ids:bad.csv')
    >>> scenario_label("draw:0.5:17"), scenario_label("memorised:0.1")
    ('Forget 50 % at random, draw 17', 'Forget the most memorised 10 %')
    >>> scenario_label("class:seed")
    'Forget one class, chosen by the seed'
    >>> scenario_label("corrected:relabel"), scenario_label("corrected:right.csv")
    ('Correct what relabel changed', 'Correct by right.csv')
    """
    kind, _, value = printable(scenario).partition(":")
    if kind == "class" and value:
        if scenario == CLASS_BY_SEED:
            what = "one class, chosen by the seed"
        else:
            what = f"class {value}" if "," not in value else f"classes {value}"
        return f"Forget {what}"
    if kind == "edited" and value:
        edit, _, share = value.rpartition(":")
        try:
            return f"Forget {100 * float(share):g} % of what {edit} changed"
        except ValueError:
            return f"Forget what {value} changed"
    others = {
        "corrected": f"Correct by {value}" if ".csv" in value else f"Correct what {value} changed",
        "suspected": f"Forget what {method_label(value)} suspects",
    }
    if kind in others and value:
        return others[kind]
    if kind in _SHARES:
        share, _, number = value.partition(":")
        try:
            return _SHARES[kind].format(amount=f"{100 * float(share):g} %", number=number)
        except ValueError:
            pass
    return f"Forget {printable(scenario)}"


def level_label(pruner: str, sparsity: float) -> str:
    """How sparse the model was before unlearning, and by which pruner.

    >>> level_label("none", 0.0), level_label("omp", 0.95), level_label("synflow", 0.9)
    ('dense', '95 % OMP', '90 % synflow')
    """
    if pruner == "none":
        return f"{100 * sparsity:g} % sparse" if sparsity else "dense"
    return f"{100 * sparsity:g} % {method_label(pruner)}"


def percent(share: float) -> str:
    """A share of one, as a percentage of few digits.

    >>> percent(0.957), percent(0.0583), percent(0.00012), percent(12.34)
    ('95.7 %', '5.8 %', '0.012 %', '1234 %')
    """
    if abs(share) >= 10:
        return f"{100 * share:.0f} %"
    return f"{100 * share:.2g} %" if abs(share) < 0.1 else f"{100 * share:.3g} %"


def points(value: float) -> str:
    """Percentages and percentage points: two digits, as the papers print them.

    >>> points(6.919), points(-0.001)
    ('6.92', '0.00')
    """
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value, 2) + 0.0:.2f}"


def signed(value: float) -> str:
    """A difference in points, with its sign.

    >>> signed(6.919), signed(-0.5), signed(0.0)
    ('+6.92', '−0.50', '0.00')
    """
    text = points(abs(value))
    return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"


def three_digits(value: float) -> str:
    """A difference in a unit other than points, with its sign.

    >>> three_digits(0.10821), three_digits(-99.2157), three_digits(0.0)
    ('+0.108', '−99.2', '0')
    """
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def factor(value: float) -> str:
    """How many times one side is the other.

    >>> factor(13.4579), factor(0.43867)
    ('×13.5', '×0.439')
    """
    return f"×{value:.3g}"


def with_bounds(found: Interval, n: str = "", show: Callable[[float], str] = signed) -> str:
    """A difference with its interval, in points unless `show` writes it; `n` is behind the bounds.

    >>> with_bounds(Interval(1.0, -0.5, 2.5, 3), ", n = 3")
    '+1.00 (−0.50 to +2.50, n = 3)'
    """
    if not found.bounded:
        spread = "the same in both seeds, which gives no interval"
    elif found.flat:
        spread = f"the same in all {found.n} seeds"
    else:
        spread = f"{show(found.low)} to {show(found.high)}{n}"
    return f"{show(found.estimate)} ({spread})"


def number(value: float, unit: str) -> str:
    """A value in the unit of its measure, which tables name unless it is a percentage.

    >>> number(12.345, "percent"), number(0.12345, "fraction"), number(0.0012345, "bits")
    ('12.35', '12.35 %', '0.001234')
    """
    if unit == "fraction":
        return f"{points(100 * value)} %"
    return points(value) if unit in ("percent", "norm", "") else f"{value:.4g}"


_UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


def seconds(value: float, spread: float | None = None) -> str:
    """A duration, and its spread in the same unit.

    >>> seconds(0.42), seconds(151.2, 3.0), seconds(7260)
    ('420 ms', '2.52±0.05 min', '2.02 h')
    """
    size, unit = next(((size, unit) for size, unit in _UNITS if value >= size), _UNITS[-1])
    scaled = value / size
    if spread is None:
        return f"{scaled:.3g} {unit}" if scaled < 1000 else f"{scaled:.0f} {unit}"
    digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
    return f"{scaled:.{digits}f}±{spread / size:.{digits}f} {unit}"


def listed(items: Sequence[str]) -> str:
    """Items as part of a sentence.

    >>> listed(["FT", "GA", "IU"])
    'FT, GA and IU'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def printable(text: str) -> str:
    r"""The text with control characters made visible; they are not allowed in an SVG.

    >>> printable("a" + chr(0) + "b")
    'a\ufffdb'
    """
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names; a list of plain values stays one line.

    >>> list(flat({"training": {"lr": 0.1, "milestones": [91, 136]}}))
    [('training.lr', '0.1'), ('training.milestones', '[91, 136]')]
    """
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from flat(item, f"{name}[{index}]")
    elif name:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
