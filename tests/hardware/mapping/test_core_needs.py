"""What a connection asks of a core, held to neurons looked at one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.graph import Connection, Conv2dSynapse, LinearSynapse, Synapse
from hardware.counts.fan_out import fan_out
from hardware.mapping.core_needs import ConnectionNeeds
from hardware.target import LOIHI1


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2dSynapse, tuple[int, ...]]:
    groups, inputs, outputs = (draw(st.integers(1, 2)) for _ in range(3))
    kernel, stride, padding, dilation = ((draw(st.integers(low, 3)), draw(st.integers(low, 3))) for low in (1, 1, 0, 1))
    size = tuple(dilation[axis] * (kernel[axis] - 1) + draw(st.integers(1, 4)) for axis in (0, 1))
    weight = np.ones((groups * outputs, inputs, *kernel))
    return Conv2dSynapse(weight, None, stride, padding, dilation, groups), (groups * inputs, *size)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[LinearSynapse, tuple[int, ...]]:
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    ones = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    return LinearSynapse(np.array(ones, dtype=np.float64).reshape(rows, columns)), (columns,)


def read_by(synapse: Synapse, input_shape: tuple[int, ...]) -> np.ndarray:
    """bool [*outputs, *inputs]: which neuron reads which input, found with one input after the other."""
    reads = np.zeros((*synapse.output_shape(input_shape), *input_shape), dtype=bool)
    for output in np.ndindex(*synapse.output_shape(input_shape)):
        if isinstance(synapse, LinearSynapse):
            reads[output] = synapse.weight[output].reshape(input_shape) != 0
            continue
        group = output[0] // (len(synapse.weight) // synapse.groups)
        for channel, row, column in product(*(range(size) for size in synapse.weight.shape[1:])):
            y = output[1] * synapse.stride[0] + row * synapse.dilation[0] - synapse.padding[0]
            x = output[2] * synapse.stride[1] + column * synapse.dilation[1] - synapse.padding[1]
            if 0 <= y < input_shape[1] and 0 <= x < input_shape[2]:
                reads[(*output, group * synapse.weight.shape[1] + channel, y, x)] = True
    return reads


@settings(max_examples=60)
@given(case=st.one_of(convolutions(), matrices()), cuts=st.tuples(*(st.integers(1, 4) for _ in range(3))))
def test_axons_and_destinations_are_those_found_neuron_by_neuron(
    case: tuple[Synapse, tuple[int, ...]], cuts: tuple[int, int, int]
) -> None:
    synapse, input_shape = case
    shape = synapse.output_shape(input_shape)
    sides = tuple(-(-size // cut) for size, cut in zip(shape, cuts, strict=False))
    needs = ConnectionNeeds(Connection("source", synapse), input_shape, shape, LOIHI1)
    reads = read_by(synapse, input_shape)
    corners = product(*(range(0, size, side) for size, side in zip(shape, sides, strict=True)))
    boxes = [
        reads[tuple(slice(start, start + side) for start, side in zip(corner, sides, strict=True))]
        .reshape(-1, *input_shape)
        .any(axis=0)
        for corner in corners
    ]
    assert needs.input_axons(sides) == max(int(box.sum()) for box in boxes)
    assert needs.destinations(sides).tolist() == np.sum(boxes, axis=0).tolist()
    assert needs.fan_in == int(reads.reshape(*shape, -1).sum(axis=-1).max())
    assert needs.connections == int(reads.sum())


@settings(max_examples=30)
@given(case=convolutions())
def test_stored_connections_of_a_convolution_are_those_that_cost_operations(
    case: tuple[Conv2dSynapse, tuple[int, ...]],
) -> None:
    synapse, input_shape = case
    needs = ConnectionNeeds(Connection("source", synapse), input_shape, synapse.output_shape(input_shape), LOIHI1)
    assert needs.connections == needs.synapses == int(fan_out(synapse, input_shape).sum())


@pytest.mark.parametrize(
    ("synapses", "words"),
    # 10 bits of header and 8 of weight each, in words of 64; a second block begins after 64.
    [(6, 1), (7, 2), (14, 2), (15, 3), (64, 9), (65, 10), (128, 18)],
)
def test_a_list_of_consecutive_synapses_is_stored_in_blocks_and_words(synapses: int, words: int) -> None:
    matrix = LinearSynapse(np.ones((synapses, 3)))
    needs = ConnectionNeeds(Connection("source", matrix), (3,), (synapses,), LOIHI1)
    assert needs.own_bits((synapses,)) == needs.shared_bits((synapses,)) == 3 * 64 * words


def test_a_list_with_few_synapses_is_stored_with_their_indices() -> None:
    weight = np.zeros((60, 2))
    weight[:3, 0] = 1
    needs = ConnectionNeeds(Connection("source", LinearSynapse(weight)), (2,), (60,), LOIHI1)
    # 10 + 3 * 18 bits for the first input, nothing for the second.
    assert needs.own_bits((60,)) == 64


def test_a_convolution_shares_a_list_for_each_input_channel() -> None:
    synapse = Conv2dSynapse(np.ones((4, 2, 3, 3)), padding=(1, 1))
    needs = ConnectionNeeds(Connection("source", synapse), (2, 8, 8), (4, 8, 8), LOIHI1)
    # 4 * 9 synapses of 18 bits: 658 bits, 11 words. Two boxes have their own.
    assert needs.shared_bits((4, 8, 8)) == 2 * 11 * 64
    assert needs.shared_bits((4, 4, 8)) == 2 * 2 * 11 * 64


def test_sources_that_share_an_axon_need_fewer_of_them_and_an_index_beside_each_weight() -> None:
    connection = Connection("source", LinearSynapse(np.ones((14, 100))))
    alone = ConnectionNeeds(connection, (100,), (14,), LOIHI1)
    together = ConnectionNeeds(connection, (100,), (14,), LOIHI1, neurons_per_axon=32)
    assert (alone.input_axons((14,)), together.input_axons((14,))) == (100, 4)
    # 10 + 14 * 8 = 122 bits against 10 + 14 * 18 = 262.
    assert (alone.own_bits((14,)), together.own_bits((14,))) == (100 * 128, 100 * 320)
