"""Two runs side by side: the first difference, the potentials there, answers and what is left out."""

import numpy as np
import pytest

from conversion.run_comparison import compare_runs
from conversion.runners.run import Run
from snnface.errors import ConversionError, ShapeError


def run(answers=None, notes=(), potential=None, **spikes):
    return Run(spikes=spikes, answers=answers or {}, potential=potential, notes=notes)


def empty(*shape):
    return np.zeros(shape, dtype=np.uint8)


def test_the_first_difference_is_in_the_first_population_that_differs_even_if_a_later_one_differs_earlier():
    one, two, three = empty(5, 2, 2, 3), empty(5, 2, 2, 3), empty(5, 2, 4)
    two[3, 1, 0, 2] = 1
    late = three.copy()
    late[0, 0, 0] = 1
    a = run(first=empty(5, 2, 3), maps=one, last=three)
    b = run(first=empty(5, 2, 3), maps=two, last=late)
    compared = compare_runs(a, b)
    first = compared.first
    assert (first.population, first.step, first.sample, first.neuron) == ("maps", 3, 1, (0, 2))
    assert (first.spike_a, first.spike_b) == (0, 1)
    assert (first.potential_a, first.potential_b) == (None, None)
    assert [c.num_differing for c in compared.populations] == [0, 1, 1]
    assert not compared.is_identical


def test_the_potential_of_the_first_difference_is_that_of_its_step_and_neuron():
    other = empty(2, 1, 3)
    other[1, 0, 2] = 1

    def potential(population, sample):
        assert (population, sample) == ("n", 0)
        return np.arange(6.0).reshape(2, 3)

    first = compare_runs(run(n=empty(2, 1, 3), potential=potential), run(n=other)).first
    assert (first.potential_a, first.potential_b) == (5.0, None)


def test_populations_of_other_names_are_matched_by_order_and_shape_and_it_is_said():
    train = np.eye(3, dtype=np.uint8)[:, None]
    compared = compare_runs(run(a=train, b=train[..., :2]), run(x=train, y=train[..., :2]))
    assert compared.is_identical
    assert compared.notes == ("populations were matched by their order: a = x, b = y",)


def test_populations_of_one_run_alone_are_named_and_left_out():
    compared = compare_runs(run(n=empty(2, 1, 3), pool=empty(2, 1, 1)), run(n=empty(2, 1, 3), more=empty(2, 1, 2)))
    assert compared.is_identical
    assert compared.notes == ("only in the first: pool", "only in the second: more")


def test_answers_decide_only_where_no_spikes_are_compared():
    near, far = {"y": np.array([1.0, -2.0])}, {"y": np.array([1.0, -2.5])}
    compared = compare_runs(run(near), run(far))
    assert compared.answers[0].largest_difference == 0.5
    assert compared.answers[0].relative_difference == 0.2
    assert not compared.is_identical
    assert compare_runs(run(near), run({"y": near["y"] * (1 + 1e-5)})).is_identical
    assert compare_runs(run(near, n=empty(1, 1, 1)), run(far, n=empty(1, 1, 1))).is_identical


def test_answers_of_two_sizes_are_a_difference_not_an_error():
    compared = compare_runs(run({"y": np.ones((2, 3))}), run({"readout": np.ones((2, 36))}))
    assert (compared.answers[0].shape_a, compared.answers[0].shape_b) == ((2, 3), (2, 36))
    assert compared.answers[0].largest_difference is None
    assert not compared.is_identical


def test_notes_of_both_runs_are_kept_and_a_run_without_spikes_is_said():
    compared = compare_runs(run({"y": np.ones(1)}, notes=("one",), n=empty(1, 1, 1)), run({"y": np.ones(1)}, ("two",)))
    assert compared.notes == ("one", "two", "one of the two shows no spikes, only its answers are compared")
    assert compared.is_identical


def test_runs_with_nothing_in_common_are_refused():
    with pytest.raises(ConversionError, match="populations a, b and x, answers none and none"):
        compare_runs(run(a=empty(1, 1, 1), b=empty(1, 1, 1)), run(x=empty(1, 1, 1)))
    with pytest.raises(ShapeError, match="one shape in both runs"):
        compare_runs(run(a=empty(1, 1, 1)), run(a=empty(1, 1, 2)))
