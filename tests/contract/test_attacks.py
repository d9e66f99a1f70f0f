"""What every membership attack must satisfy. Nothing here knows which attacks there are."""

import numpy as np
import pytest

from expunge.errors import ConfigError, DataError
from expunge.metrics.membership.attacks import ATTACKS, DEFAULT_ATTACKS, get_attack
from expunge.metrics.membership.audit import run_attacks

KEYS = {
    *("efficacy", "privacy", "auc", "tpr_at_1", "tpr_at_01"),
    *("forget_privacy", "forget_auc", "forget_tpr_at_1", "forget_tpr_at_01"),
}


def outputs(rng, count, sure, classes=3):
    """A model's answers, about `sure` of the true class."""
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 1, (count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += sure
    return logits, labels


def put_together(*groups):
    """Retained, unseen and forgotten samples as `run_attacks` takes them."""
    logits, labels = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    part = np.repeat([0, 1, 2], [len(labels) for _, labels in groups])
    return {"logits": logits, "labels": labels, "member": part == 0, "forget": part == 2}


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return put_together(outputs(rng, 300, 3.0), outputs(rng, 120, 1.0), outputs(rng, 60, 2.0))


@pytest.fixture(params=ATTACKS, ids=lambda attack: attack.name)
def attack(request):
    return request.param


@pytest.fixture
def run(attack):
    def run(samples, seed=0, **options):
        return run_attacks(**samples, seed=seed, attacks=(attack,), **options)[attack.name]

    return run


def test_it_gives_plain_percentages(run, samples):
    found = run(samples)
    assert set(found) == KEYS
    assert all(type(value) is float and 0 <= value <= 100 for value in found.values())


def test_the_same_seed_gives_the_same(run, samples):
    assert run(samples, seed=3) == run(samples, seed=3)


def test_another_seed_draws_others(run, samples):
    assert len({tuple(run(samples, seed=seed).values()) for seed in range(5)}) > 1


def test_the_order_of_samples_does_not_matter(run, samples):
    order = np.random.default_rng(1).permutation(len(samples["labels"]))
    assert run({name: array[order] for name, array in samples.items()}) == run(samples)


def test_inputs_and_global_random_state_are_left_alone(run, samples):
    before = {name: array.copy() for name, array in samples.items()}
    np.random.seed(1)
    first = run(samples)
    np.random.seed(2)
    state = np.random.get_state()
    assert run(samples) == first
    assert str(np.random.get_state()) == str(state)
    assert all((samples[name] == array).all() for name, array in before.items())


def test_members_that_stand_apart_are_all_found(run):
    """Members are surely right, others surely wrong or unsure."""
    rng = np.random.default_rng(2)
    sure, wrong = outputs(rng, 80, 40.0), (np.zeros((80, 3), np.float32), np.arange(80) % 3)
    wrong[0][np.arange(80), (wrong[1] + 1) % 3] = 0.5
    found = run(put_together(sure, wrong, (sure[0][:20], sure[1][:20])))
    expected = dict.fromkeys(KEYS, 100.0) | {"efficacy": 0.0}
    assert found == expected
    gone = run(put_together(sure, wrong, (wrong[0][:20], wrong[1][:20])))
    assert (gone["efficacy"], gone["auc"]) == (100, 100)
    assert gone["forget_auc"] == pytest.approx(50, abs=5)


def test_members_like_all_others_cannot_be_told(run):
    rng = np.random.default_rng(3)
    found = run(put_together(*(outputs(rng, count, 2.0) for count in (1200, 1200, 600))))
    # Four standard errors of a share among 600.
    for name in ("privacy", "auc", "forget_privacy", "forget_auc"):
        assert found[name] == pytest.approx(50, abs=8), name
    for name in ("tpr_at_1", "forget_tpr_at_1"):
        assert found[name] < 5


def test_forgotten_classes_are_told_from_their_own_kind(run):
    """Other classes' unseen samples differ from the forgotten class as from any unseen class."""
    rng = np.random.default_rng(4)
    retain, test = outputs(rng, 300, 4.0), outputs(rng, 200, 1.0)
    forget, peers = outputs(rng, 300, 0.0), outputs(rng, 300, 0.0)
    forget[1][:] = peers[1][:] = 3
    group = put_together(
        retain, (np.concatenate((test[0], peers[0])), np.append(test[1], peers[1])), forget
    )
    group["logits"] = np.column_stack((group["logits"], np.full(len(group["labels"]), -2)))
    group["logits"] = group["logits"].astype(np.float32)
    found = run(group, forgotten_classes=(3,))
    assert found["forget_auc"] == pytest.approx(50, abs=10)
    unseen = ~(group["member"] | group["forget"])
    without = group | {
        name: array[~(unseen & (group["labels"] == 3))] for name, array in group.items()
    }
    lonely = run(without, forgotten_classes=(3,))
    assert lonely == found | {name: None for name in KEYS if name.startswith("forget_")}


@pytest.mark.parametrize(
    ("members", "others", "message"),
    [
        (1, 50, "at least 2 members and 2 non-members to learn from, got 1 and 50"),
        (50, 1, "got 50 and 1"),
        (50, 0, "got 50 and 0"),
        (0, 50, "got 0 and 50"),
    ],
)
def test_too_few_of_a_kind_are_refused(run, samples, members, others, message):
    rng = np.random.default_rng(5)
    groups = (outputs(rng, count, 1.0) for count in (members, others, 5))
    with pytest.raises(DataError, match=message):
        run(put_together(*groups))


@pytest.mark.parametrize("count", [2, 3])
def test_two_of_each_are_enough(run, count):
    rng = np.random.default_rng(6)
    found = run(put_together(*(outputs(rng, n, 2.0) for n in (count, count, 1))))
    assert set(found) == KEYS


def test_flags_that_do_not_fit_are_refused(run, samples):
    wrong = {"forget": samples["forget"].astype(np.int64)}
    with pytest.raises(DataError, match=r"forget flags of bool \(480,\), got int64 \(480,\)"):
        run(samples | wrong)
    with pytest.raises(DataError, match=r"member flags of bool \(480,\), got bool \(479,\)"):
        run(samples | {"member": samples["member"][:-1]})
    with pytest.raises(DataError, match="retained or forgotten, got 60 that are both"):
        run(samples | {"member": samples["member"] | samples["forget"]})
    with pytest.raises(DataError, match="at least 1 forget sample to judge, got 0"):
        run(samples | {"forget": np.zeros(480, bool)})
    with pytest.raises(DataError, match="not finite"):
        run(samples | {"logits": samples["logits"] * np.nan})


def test_it_says_what_it_is(attack):
    assert get_attack(attack.name) is attack
    assert any(character.isdigit() for character in attack.cite), "no year in the citation"
    assert attack.feature.__doc__
    assert attack.classifier.__doc__


def test_names_are_unique_and_unknown_ones_refused():
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)
    assert set(DEFAULT_ATTACKS) <= set(ATTACKS)
    with pytest.raises(ConfigError, match="did you mean 'entropy_svc'"):
        get_attack("entropy_svm")


def test_together_they_find_what_each_finds_alone(run, samples, attack):
    assert run_attacks(**samples, seed=0, attacks=ATTACKS)[attack.name] == run(samples)
