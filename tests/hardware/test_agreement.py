"""Counting differences of two runs."""

from dataclasses import replace

import numpy as np
import pytest

from hardware.agreement import agreement
from hardware.backends.base import RunResult
from snnface.errors import ConversionError

RUN = RunResult(
    spikes={"a": np.array([[[1, 0]], [[0, 1]]], dtype=np.uint8)},
    num_spikes={"a": 2},
    voltage={"a": np.array([[5, 7]])},
    current={"a": np.array([[1, 2]])},
    answers=np.zeros((1, 1)),
)


def test_a_run_agrees_with_itself() -> None:
    result = agreement(RUN, RUN)
    assert result.is_exact
    assert result.num_spikes == 2


def test_a_spike_a_voltage_and_a_current_that_differ_are_each_seen() -> None:
    fewer = replace(RUN, spikes={"a": np.zeros_like(RUN.spikes["a"])})
    assert agreement(RUN, fewer).num_differing_spikes == 2
    moved = replace(RUN, voltage={"a": np.array([[5, 8]])})
    assert agreement(RUN, moved).differing_states == {"a": 1}
    # The same neuron in u and v counts once.
    both = replace(moved, current={"a": np.array([[1, 3]])})
    assert agreement(RUN, both).num_differing_states == 1
    assert not agreement(RUN, both).is_exact


def test_currents_count_only_where_both_runs_have_them() -> None:
    assert agreement(RUN, replace(RUN, current={})).is_exact


def test_a_population_that_the_second_run_did_not_keep_is_an_error() -> None:
    with pytest.raises(ConversionError, match="the second lacks a"):
        agreement(RUN, replace(RUN, spikes={}))


def test_messages_of_different_size_and_further_states_differ() -> None:
    graded = replace(
        RUN,
        spikes={"a": np.array([[[3, 0]], [[0, -1]]], dtype=np.int32)},
        other_states={"a": {"residue": np.array([[4, 0]])}},
    )
    larger = replace(graded, spikes={"a": np.array([[[5, 0]], [[0, 1]]], dtype=np.int32)})
    assert agreement(graded, larger).num_differing_spikes == 2
    left = replace(graded, other_states={"a": {"residue": np.array([[4, 9]])}})
    assert agreement(graded, left).differing_states == {"a": 1}
    assert agreement(graded, replace(graded, other_states={})).is_exact
