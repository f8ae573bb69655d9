"""Delays, weight exponents and sparse matrices: fast sums equal the sums by definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.graph import INPUT, Connection, LinearSynapse
from hardware.backends.connection_sums import connection_sums
from hardware.backends.loihi_synapse import delayed_sums, dense_sums
from hardware.backends.sparse_sums import SparseSums
from hardware.backends.spike_sums import LinearSums, spike_sums
from hardware.backends.spike_train import SpikeTrain
from snnface.errors import PrecisionError


def sums_of(connection: Connection, messages: np.ndarray, *, piece: int = 100) -> list[list[int]]:
    """The sums of all steps, a piece of time at once."""
    prepared = connection_sums(connection, messages.shape[1:], int(np.abs(messages).max(initial=1)))
    train = SpikeTrain.from_dense(messages)
    sums = np.zeros((len(messages), len(connection.synapse.weight)), dtype=np.int32)
    for first in range(0, len(sums), piece):
        prepared.add_to(sums[first : first + piece], train, first)
    return sums.tolist()


def test_a_weight_acts_as_many_steps_later_as_its_delay() -> None:
    synapse, delay = LinearSynapse(np.array([[2, 4, 6]])), np.array([[0, 1, 3]])
    messages = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert sums_of(Connection(INPUT, synapse, delay), messages) == [[2], [4], [2], [6]]


def test_each_delay_is_shifted_on_its_own_before_all_are_added() -> None:
    # 3 >> 1 = 1 and 5 >> 1 = 2 arrive together as 3, where (3 + 5) >> 1 would be 4.
    synapse, messages = LinearSynapse(np.array([[3, 5]])), np.array([[0, 1], [1, 0]])
    late = Connection(INPUT, synapse, np.array([[0, 1]]), -1)
    assert sums_of(late, messages) == [[0], [3]]
    assert sums_of(Connection(INPUT, synapse, None, -1), np.array([[1, 1]])) == [[4]]
    assert sums_of(Connection(INPUT, LinearSynapse(np.array([[-3]])), None, -1), np.array([[1]])) == [[-2]]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    longest=st.sampled_from([0, 2, 63]),
    share=st.sampled_from([1.0, 0.05]),
    exponent=st.integers(-4, 4),
    piece=st.integers(1, 9),
)
def test_delayed_matrices_sum_as_defined(seed: int, longest: int, share: float, exponent: int, piece: int) -> None:
    draw = np.random.default_rng(seed)
    weight = draw.integers(-256, 256, size=(7, 30)) * (draw.random((7, 30)) < share)
    delay = draw.integers(0, longest + 1, size=weight.shape)
    messages = draw.integers(-9, 10, size=(20, 30)) * draw.integers(0, 2, size=(20, 30))
    connection = Connection(INPUT, LinearSynapse(weight), delay, exponent)
    expected = delayed_sums(weight, delay, messages, weight_exp=exponent)
    assert sums_of(connection, messages, piece=piece) == expected.tolist()


def test_a_delay_of_zero_everywhere_is_no_delay() -> None:
    draw = np.random.default_rng(2)
    weight, messages = draw.integers(-9, 9, size=(4, 6)), draw.integers(0, 2, size=(5, 6))
    none = np.zeros_like(weight)
    assert np.array_equal(
        delayed_sums(weight, none, messages, weight_exp=-1), dense_sums(weight, messages, weight_exp=-1)
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(30,), (3, 2, 5)]))
def test_mostly_zero_matrices_are_listed_and_sum_as_full_ones(seed: int, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(seed)
    weight = draw.integers(-256, 256, size=(12, 30)) * (draw.random((12, 30)) < 0.06)
    weight[0, 0] = 2
    messages = draw.integers(-2, 3, size=(4, *shape))
    sparse = spike_sums(LinearSynapse(weight), shape, 2)
    assert isinstance(sparse, SparseSums)
    assert len(sparse.weight) == np.count_nonzero(weight)
    flat = messages if len(shape) == 1 else messages.transpose(0, 2, 3, 1).reshape(4, -1)
    sums = np.zeros((4, 12), dtype=np.int32)
    sparse.add_to(sums, SpikeTrain.from_dense(np.ascontiguousarray(flat)), 0)
    assert np.array_equal(sums, dense_sums(weight, messages.reshape(4, -1)))


def test_an_eighth_of_the_weights_makes_a_full_matrix() -> None:
    assert isinstance(spike_sums(LinearSynapse(np.eye(8, dtype=np.int64)), (8,), 1), LinearSums)
    assert isinstance(spike_sums(LinearSynapse(np.eye(9, dtype=np.int64)), (9,), 1), SparseSums)


def test_graded_messages_that_could_leave_32_bits_are_refused_by_name() -> None:
    connection = connection_sums(Connection("hidden", LinearSynapse(np.array([[100, -100]])), None, 1), (2,), None)
    train = SpikeTrain.from_dense(np.array([[-5368709, 3]]))
    connection.require_exact(train)  # 200 * 5368709 * 2 = 2^31 - 48
    beyond = SpikeTrain.from_dense(np.array([[-5368710, 3]]))
    with pytest.raises(PrecisionError, match=r"'hidden' could leave 32 bits: .* messages up to 5368710, .* to 200"):
        connection.require_exact(beyond)
