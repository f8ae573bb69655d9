"""Networks that are shown events in parts of a picture's time."""

import numpy as np
import pytest

from conversion.event_input import for_event_bins
from conversion.simulate import constant_input, simulate


def test_equal_parts_give_the_spikes_of_the_held_picture(small_graph):
    graph = small_graph(leak=0.0, step=2.0**-6)
    picture = np.random.default_rng(0).integers(0, 9, (3, 2, 6, 6)).astype(np.float64)
    held = simulate(graph, constant_input(picture, 8))
    parts = simulate(for_event_bins(graph, 8), constant_input(picture / 8, 8))
    for name, train in held.spikes.items():
        np.testing.assert_array_equal(train, parts.spikes[name])
    np.testing.assert_array_equal(held.answers, parts.answers)


def test_only_what_reads_the_input_changes_and_biases_stay(small_graph):
    graph = small_graph(residual=True)
    changed = for_event_bins(graph, 4)
    first, *others = zip(graph.populations, changed.populations, strict=True)
    np.testing.assert_array_equal(first[1].inputs[0].synapse.weight, 4 * first[0].inputs[0].synapse.weight)
    np.testing.assert_array_equal(first[1].inputs[0].synapse.bias, first[0].inputs[0].synapse.bias)
    for before, after in others:
        assert [link.synapse.weight.tobytes() for link in before.inputs] == [
            link.synapse.weight.tobytes() for link in after.inputs
        ]
    assert changed.metadata["event_bins"] == 4
    assert graph.metadata.get("event_bins") is None


def test_the_mean_current_of_the_first_layer_is_that_of_the_sum(small_graph):
    graph = small_graph(leak=0.0)
    events = np.random.default_rng(1).integers(0, 2, (5, 1, 2, 6, 6))
    fed = for_event_bins(graph, 5).populations[0].inputs[0].synapse
    held = graph.populations[0].inputs[0].synapse
    # One pixel of the output in the middle: its window lies inside the picture.
    window = events[:, 0, :, 1:4, 1:4]
    mean = np.mean([(fed.weight * step).sum(axis=(1, 2, 3)) for step in window], axis=0)
    assert mean == pytest.approx((held.weight * window.sum(0)).sum(axis=(1, 2, 3)))
