"""What a report says of a backdoor: verdicts, numbers, published curves and pictures."""

import math

import pytest

from expunge.errors import DataError
from expunge.published import read_table
from expunge.report import check_results, findings, render_html, to_markdown, to_text
from expunge.report.aggregate import aggregate
from expunge.report.figures import draw
from expunge.report.published import elsewhere, published_of
from expunge.report.trojan import trojan_of

CIFAR = {"data": {"source": "uoft-cs/cifar10", "edits": {"badnets": {}}}}
PAPER = CIFAR | {"network": {"name": "resnet18", "width": 1.0}, "training": {"epochs": 182}}
# By method: ASR of the three seeds.
DENSE = {
    "original": (99.0, 100.0, 100.0),
    "retrain": (0.5, 0.7, 0.6),
    "ft": (98.0, 100.0, 99.5),
    "ga": (50.0, 52.0, 51.0),
    "l1_sparse": (0.4, 0.9, 0.5),
}
SPARSE = {"original": (89.0, 90.5, 90.0), "ft": (10.0, 12.0, 11.0)}


@pytest.fixture
def poisoned(results):
    """The class's cells, with attack success rates and without a sparse Retrain."""
    results["cells"] = [
        cell
        for cell in results["cells"]
        if cell["scenario"] == "class:3" and (cell["pruner"] == "none" or cell["method"] in SPARSE)
    ]
    for cell in results["cells"]:
        values = DENSE if cell["pruner"] == "none" else SPARSE
        asr = values[cell["method"]][cell["seed"]]
        cell["metrics"] |= {"asr": asr, "asr_all": 10 + 0.9 * asr}
    return results


def of(results):
    (scenario,) = aggregate(check_results(results))
    return trojan_of(scenario, results["settings"])


def row(found, level, method):
    (values,) = (each for each in found.rows if each[:2] == (level, method))
    return dict(zip(found.header, values, strict=True))


def test_without_attack_success_there_is_nothing(results):
    assert trojan_of(aggregate(results)[0], {}) is None
    assert "Trojan" not in render_html(results)
    assert not [each for each in draw(aggregate(results)) if each.kind == "trojan"]


def test_a_verdict_says_what_the_seeds_tell_apart(poisoned):
    found = of(poisoned)
    dense = found.verdicts[0]
    for number, method in enumerate(("FT", "GA", "ℓ1-sparse"), start=1):
        change = row(found, "dense", method)["change of SA"]
        assert change.endswith(")")
        dense = dense.replace(f"SA {change}", f"SA {number}")
    assert dense == (
        "Dense: ASR of the original 99.67. "
        "FT: ASR 99.17, −0.50 (−1.74 to +0.74), not told from no change; SA 1. "
        "GA: ASR 51.00, −48.67 (−50.10 to −47.23), told from Retrain’s 0.60; SA 2. "
        "ℓ1-sparse: ASR 0.60, −99.07 (−100.19 to −97.95), not told from Retrain’s 0.60; SA 3."
    )


def test_intervals_are_those_of_student_by_hand(poisoned):
    """The t-quantile of two degrees of freedom is 4.30265."""
    found = row(of(poisoned), "dense", "GA")
    reach = 4.302653 * 1.0 / math.sqrt(3)
    assert found["ASR"] == f"51.00 ({51 - reach:.2f} to {51 + reach:.2f})"
    assert found["ASR over all"].startswith("55.90 (")
    # A share is not beyond 100.
    assert row(of(poisoned), "dense", "Original")["ASR"] == "99.67 (98.23 to 100.00)"


def test_where_there_was_hardly_a_trojan_there_is_no_verdict(poisoned):
    _, sparse = of(poisoned).verdicts
    assert sparse == (
        "95 % OMP: no cleanse verdict, because the original’s ASR is 89.83, below 90: there is too "
        "little of a Trojan to remove."
    )
    for text in (render_html(poisoned), to_markdown(poisoned).replace("&#39;", "'")):
        assert "no cleanse verdict, because the original’s ASR is 89.83" in text
    for cell in poisoned["cells"]:
        if cell["pruner"] == "omp" and cell["method"] == "original":
            cell["metrics"]["asr"] = 90.0
    _, sparse = of(poisoned).verdicts
    assert sparse.startswith(
        "95 % OMP: ASR of the original 90.00. FT: ASR 11.00, −79.00 (−81.48 to −76.52); SA "
    )


def test_a_claim_about_what_was_hardly_there_has_no_verdict(poisoned):
    def said(sparsity):
        side = {"method": "ft", "pruner": "omp" if sparsity else "none", "sparsity": sparsity}
        other = {"method": "ga", "pruner": "none", "sparsity": 0.0}
        claim = {"name": "lower", "scenario": "class:3", "measure": "asr", "direction": "higher"}
        poisoned["settings"]["claims"] = [claim | {"effect": 1.0, "first": side, "second": other}]
        (scenario,) = aggregate(check_results(poisoned))
        return findings(scenario).claims[0]

    assert said(0.0).startswith("Claim “lower”: holds.")
    assert said(0.95).startswith(
        "Claim “lower”: no verdict, because, 95 % OMP, the original’s ASR is 89.83, below 90"
    )


def test_without_the_original_there_is_no_verdict(poisoned):
    poisoned["cells"] = [cell for cell in poisoned["cells"] if cell["method"] != "original"]
    found = of(poisoned)
    assert all("the original’s ASR was not measured" in each for each in found.verdicts)
    assert row(found, "dense", "FT")["change of ASR"] == "—"


def test_seeds_that_agree_are_said_to(poisoned):
    for cell in poisoned["cells"]:
        cell["metrics"]["asr"] = 0.0 if cell["method"] == "ga" else 100.0
    assert "GA: ASR 0.00, −100.00 (the same in all 3 seeds)" in of(poisoned).verdicts[0]
    poisoned["cells"] = [cell for cell in poisoned["cells"] if cell["seed"] < 2]
    assert "−100.00 (the same in both seeds, which gives no int" in of(poisoned).verdicts[0]


def test_one_seed_has_no_intervals(poisoned):
    poisoned["cells"] = [cell for cell in poisoned["cells"] if cell["seed"] == 0]
    found = of(poisoned)
    assert "GA: ASR 50.00 (one seed: no interval); SA −" in found.verdicts[0]
    assert row(found, "dense", "GA")["ASR"] == "50.00"
    assert row(found, "dense", "GA")["change of ASR"] == "−49.00"


def test_published_values_stand_beside_the_papers_data_only(poisoned):
    assert "published" not in " ".join(of(poisoned).header)
    poisoned["settings"] |= CIFAR
    found = of(poisoned)
    assert row(found, "dense", "FT")["published: ASR over all"] == "46.9"
    assert row(found, "95 % OMP", "FT")["published: ASR over all"] == "14.6"
    assert found.rows[0][-2:] == ("—", "—"), "Retrain is not published"
    assert "another setting: compare only the direction" in found.notes[0]
    assert (
        "ASR over all of FT, dense to 95 % OMP: published 46.9 to 14.6, here 99.25 to 19.90."
        in found.notes
    )
    poisoned["settings"] |= PAPER
    (note,) = of(poisoned).notes
    assert "digitised" in note
    assert "another setting" not in note


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {"name": "resnet20s"}},
        {"network": {"name": "resnet18", "width": 0.5}},
        {"training": {"epochs": 40}},
        {"data": {**CIFAR["data"], "train_limit": 5000}},
        {"data": {"source": "uoft-cs/cifar100", "edits": {"badnets": {}}}},
        {"data": {"source": "uoft-cs/cifar10", "edits": {"badnets": {"size": 3}}}},
        {"data": {"source": "uoft-cs/cifar10", "edits": {"badnets": {}, "relabel": {}}}},
        {"data": 3},
    ],
)
def test_only_the_published_setting_is_the_published_setting(changes):
    def differ(settings):
        return elsewhere(read_table("trojan"), settings)

    assert not differ(PAPER)
    assert not differ(PAPER | {"data": {**CIFAR["data"], "edits": {"badnets": {"size": 4}}}})
    assert len(differ(PAPER | changes)) >= 1


def test_a_recipe_names_what_stands_beside_its_numbers(poisoned):
    """Also on other data, and not what it leaves out."""
    cell = {"scenario": "class:3", "method": "ft", "source": "S", "how": "digitised"}
    poisoned["settings"]["published"] = [{**cell, "values": {"asr_all": [40.0]}}]
    found = of(poisoned)
    assert row(found, "dense", "FT")["published: ASR over all"] == "40"
    assert row(found, "95 % OMP", "FT")["published: ASR over all"] == "—"
    assert found.notes[0] == "Published: S."
    assert not published_of("class:4", poisoned["settings"])
    poisoned["settings"] |= CIFAR
    assert row(of(poisoned), "dense", "FT")["published: ASR over all"] == "40"


def test_curves_are_drawn_over_sparsity(poisoned):
    (figure,) = (d for d in draw(aggregate(poisoned), {}) if d.kind == "trojan")
    for title in ("ASR, images of other classes", "ASR over all images, the paper’s", "SA, clean"):
        assert title in figure.svg
    assert "published" not in figure.svg
    (beside,) = (d for d in draw(aggregate(poisoned), CIFAR) if d.kind == "trojan")
    assert "FT, published" in beside.svg
    for cell in poisoned["cells"]:
        del cell["metrics"]["asr_all"]
    (fewer,) = (d for d in draw(aggregate(poisoned), {}) if d.kind == "trojan")
    assert "the paper’s" not in fewer.svg


def test_the_table_is_in_every_form(poisoned):
    page = render_html(poisoned)
    assert "<h3>Trojan cleanse</h3>" in page
    assert "GA: ASR 51.00, −48.67 (−50.10 to −47.23), told from Retrain’s 0.60" in page
    tables = to_text(poisoned)
    assert tables[-1].title == "Forget class 3: Trojan cleanse"
    assert tables[-1].rows[3][:5] == ["dense", "GA", "51.00", "55.90", "86.54"]
    assert len(tables[-1].rows) == 7
    assert "### Forget class 3: Trojan cleanse" in to_markdown(poisoned)


def test_names_are_no_markdown(poisoned):
    for cell in poisoned["cells"]:
        cell["scenario"] = "ids:<b>*a|b*.csv"
        cell["method"] = "<old>" if cell["method"] == "ft" else cell["method"]
    text = to_markdown(poisoned)
    assert text.count("Forget ids:&lt;b&gt;&#42;a&#124;b&#42;.csv") == 2
    assert "| dense | &lt;old&gt; |" in text
    assert "<" not in text


def pictures(**changes):
    shown = {
        "scenario": "class:3",
        "seed": 0,
        "samples": [{"label": "<b>cat</b>", "clean": "iVBORw0KGgo=", "triggered": "iVBORw0K"}],
        "says": [
            {"pruner": "none", "sparsity": 0.0, "method": "original", "clean": ["cat"]}
            | {"triggered": ["ship"]},
            {"pruner": "none", "sparsity": 0.0, "method": "ft", "clean": ["cat"]}
            | {"triggered": ["cat"]},
            {"pruner": "omp", "sparsity": 0.95, "method": "ft", "clean": None, "triggered": None},
        ],
    }
    return [shown | changes]


def test_pictures_are_shown_with_what_models_say_of_them(poisoned):
    page = render_html(poisoned | {"pictures": pictures()})
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in page
    assert '<td class="fooled">cat → ship</td>' in page
    assert "<td>cat → cat</td>" in page
    assert "<td>— → —</td>" in page
    assert "<b>cat</b>" not in page
    assert "Test images without" not in render_html(poisoned | {"pictures": []})


SAMPLE = pictures()[0]["samples"][0]
SAID = pictures()[0]["says"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"scenario": 3},
        {"seed": True},
        {"samples": [SAMPLE | {"clean": '"><script>'}]},
        {"samples": [SAMPLE | {"label": 3}]},
        {"samples": 3},
        {"says": [SAID | {"clean": ["cat", "dog"]}]},
        {"says": [SAID | {"clean": [3]}]},
        {"says": [{key: value for key, value in SAID.items() if key != "triggered"}]},
        {"says": [SAID | {"sparsity": "0"}]},
        {"says": 3},
    ],
)
def test_pictures_that_cannot_be_shown_are_refused(poisoned, changes):
    check_results(poisoned | {"pictures": pictures()})
    with pytest.raises(DataError, match="results: pictures 0"):
        check_results(poisoned | {"pictures": pictures(**changes)})


@pytest.mark.parametrize("found", [3, [3]])
def test_pictures_of_another_form_are_refused(poisoned, found):
    with pytest.raises(DataError, match="results: pictures"):
        check_results(poisoned | {"pictures": found})
