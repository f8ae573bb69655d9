"""Spike trains as lists of spikes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hardware.backends.spike_train import SpikeTrain

RASTERS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.sampled_from([0, 0, 1, 9]))


@given(RASTERS)
def test_a_raster_comes_back_as_it_went_in(raster: np.ndarray) -> None:
    train = SpikeTrain.from_dense(raster)
    assert np.array_equal(train.dense(), raster)
    assert train.num_spikes == np.count_nonzero(raster)
    assert np.array_equal(train.totals(), raster.sum(axis=0))


@given(RASTERS, st.integers(0, 6))
def test_joining_the_two_parts_of_a_train_gives_the_train(raster: np.ndarray, cut: int) -> None:
    joined = SpikeTrain.joined([SpikeTrain.from_dense(raster[:cut]), SpikeTrain.from_dense(raster[cut:])])
    assert np.array_equal(joined.dense(), raster)
    assert joined.num_steps == len(raster)


def test_spikes_are_listed_by_step_then_by_neuron() -> None:
    train = SpikeTrain.from_dense(np.array([[0, 1, 1], [0, 0, 0], [4, 0, 0]]))
    assert train.offsets.tolist() == [0, 2, 2, 3]
    assert train.index.tolist() == [1, 2, 0]
    assert train.value.tolist() == [1, 1, 4]
    assert train.steps().tolist() == [0, 0, 2]
