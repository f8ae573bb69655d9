"""What backends accept as samples."""

import numpy as np
import pytest

from hardware.backends.input_spikes import kept_populations, require_spikes
from snnface.errors import ConfigError, DataError, PrecisionError, ShapeError


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 3), (5, 2, 1, 4), (0, 2, 4), (5, 0, 4)])
def test_axes_must_be_time_batch_and_the_input_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"must have the axes \[T, B, 4\] with at least one step and sample; their"):
        require_spikes(np.zeros(shape, dtype=np.uint8), (4,), input_bits=0)


def test_values_must_be_integers_that_are_not_negative_and_fit() -> None:
    with pytest.raises(DataError, match="must be integers or bool; got float64"):
        require_spikes(np.zeros((1, 1, 4)), (4,), input_bits=0)
    with pytest.raises(DataError, match="must not be negative; the smallest is -2"):
        require_spikes(np.array([[[0, -2, 1, 0]]]), (4,), input_bits=0)
    with pytest.raises(PrecisionError, match=r"binary \(0 or 1\); the largest spike is 2"):
        require_spikes(np.array([[[0, 2, 1, 0]]]), (4,), input_bits=0)
    with pytest.raises(PrecisionError, match=r"0\.\.7 \(3 bits\); the largest spike is 8"):
        require_spikes(np.array([[[0, 8, 1, 0]]]), (4,), input_bits=3)


def test_the_largest_value_that_fits_and_bool_are_accepted() -> None:
    require_spikes(np.array([[[7, 0]]]), (2,), input_bits=3)
    require_spikes(np.array([[[1 << 40, 0]]]), (2,), input_bits=None)
    require_spikes(np.ones((3, 1, 2), dtype=np.bool_), (2,), input_bits=0)


def test_an_unknown_population_to_keep_names_its_neighbours() -> None:
    assert kept_populations(None, ("conv1", "conv2")) == ("conv1", "conv2")
    assert kept_populations((), ("conv1", "conv2")) == ()
    with pytest.raises(ConfigError, match=r"unknown population 'conv3'\. Did you mean 'conv"):
        kept_populations(("conv1", "conv3"), ("conv1", "conv2"))
