"""The integers of a connection: what the chip's own preparation leaves as it is."""

import numpy as np
import pytest

from hardware.backends.loihi_synapse import prepared_weight
from snnface.spiking.layer_scale import layer_scale
from snnface.spiking.weight_range import sign_of, weight_range


@pytest.mark.parametrize("weight_bits", range(2, 9))
@pytest.mark.parametrize("sign", ["mixed", "excitatory", "inhibitory"])
def test_a_range_is_all_that_the_chip_holds_of_its_sign(sign, weight_bits):
    held = weight_range(sign, weight_bits)
    numbers = np.arange(held.low, held.high + 1, held.step)
    np.testing.assert_array_equal(prepared_weight(numbers, weight_bits=weight_bits), numbers)
    assert sign_of(numbers) == sign
    # A number further, or between two, becomes another.
    beyond = held.high + held.step if sign != "inhibitory" else held.low - held.step
    assert prepared_weight(np.append(numbers, beyond), weight_bits=weight_bits)[-1] != beyond
    between = np.append(numbers, numbers[1] - held.step / 2)
    assert held.step == 1 or prepared_weight(between.astype(int), weight_bits=weight_bits)[-1] != between[-1]


def test_the_sign_of_nothing_but_zeros_is_excitatory_as_on_the_chip():
    assert sign_of(np.zeros((2, 2))) == "excitatory"
    assert sign_of(np.zeros((0,))) == "excitatory"


@pytest.mark.parametrize(
    ("weights", "scale"),
    [
        ([[1.0, -1.0]], 256 - 2),  # both signs of one size: 128 steps do not fit upwards
        ([[0.5, -1.0]], 256),  # the lowest number is free
        ([[1.0, 0.31415]], 255),  # one sign, no grid
        ([[-1.0, -0.31415]], 255),
        ([[1.0, 0.31415], [-0.5, 0.4]], 254),  # the mixed connection decides for both
    ],
)
def test_the_largest_weight_becomes_the_largest_number_that_every_connection_holds(weights, scale):
    found = layer_scale([np.array(weight) for weight in weights], np.zeros(()), 1.0)
    assert found == (scale, "weights")
