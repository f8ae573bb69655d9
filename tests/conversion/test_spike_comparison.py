"""Counting the bins in which two runs differ."""

import numpy as np
import pytest

from conversion.spike_comparison import compare_spikes, mismatch_summary
from snnface.errors import ConversionError, ShapeError


def test_each_differing_bin_is_counted_once_and_the_first_step_is_named():
    a = np.zeros((4, 1, 3), dtype=np.uint8)
    b = a.copy()
    a[1, 0, 0] = a[2, 0, 1] = 1
    b[1, 0, 0] = b[3, 0, 2] = 1
    (comparison,) = compare_spikes({"n": a}, {"n": b})
    assert (comparison.num_spikes_a, comparison.num_spikes_b) == (2, 2)
    assert (comparison.num_differing, comparison.num_bins, comparison.first_step) == (2, 12, 2)
    assert comparison.mismatch == 1.0
    assert not comparison.is_identical


def test_identical_runs_have_no_first_step_even_if_types_differ():
    a = np.eye(3, dtype=np.uint8)[:, None]
    (comparison,) = compare_spikes({"n": a}, {"n": a.astype(bool), "other": a})
    assert comparison.is_identical
    assert comparison.first_step is None
    assert comparison.mismatch == 0.0


def test_the_summary_names_population_counts_and_first_step():
    a = np.zeros((2, 1, 1), dtype=np.uint8)
    lines = mismatch_summary(compare_spikes({"x": a, "y": a}, {"x": a + 1, "y": a})).splitlines()
    assert lines == [
        "x: 2 of 2 bins differ (0 and 2 spikes, first at step 0)",
        "y: 0 of 2 bins differ (0 and 0 spikes)",
        "total: 2 differing bins in 2 populations",
    ]


def test_missing_populations_and_other_shapes_are_refused():
    a = np.zeros((2, 1, 1), dtype=np.uint8)
    with pytest.raises(ConversionError, match="the second lacks y"):
        compare_spikes({"x": a, "y": a}, {"x": a})
    with pytest.raises(ShapeError, match="one shape in both runs"):
        compare_spikes({"x": a}, {"x": a[:1]})
