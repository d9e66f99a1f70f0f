from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ForgetError
from expunge.scenarios import at_random, by_class, by_ids, make_split


@given(data=st.data(), labels=st.lists(st.integers(0, 3), min_size=2, max_size=40))
def test_forget_and_retain_are_the_training_samples_divided(noise_samples, data, labels):
    samples = noise_samples(labels, class_names=["a", "b", "c", "d"])
    scenario = data.draw(
        st.one_of(
            st.builds(by_class, st.integers(0, 3), st.sampled_from("abcd")),
            st.builds(at_random, st.floats(0.1, 0.9), st.integers(0, 9)),
            st.builds(by_ids, st.sets(st.sampled_from(samples.ids), min_size=1)),
        )
    )
    try:
        split = make_split(samples, scenario)
    except ForgetError:
        # Only where one of the two sets would be empty.
        assert len(scenario.select(samples)[0]) in (0, len(labels))
        return
    both = split.forget.tolist() + split.retain.tolist()
    assert sorted(both) == list(range(len(labels)))
    assert split.train is samples
    assert split.scenario == scenario.name
    for label in split.classes:
        assert label not in samples.labels[split.retain].tolist()
