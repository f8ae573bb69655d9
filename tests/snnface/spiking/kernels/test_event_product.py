"""Sums of weight rows against the matrix product, and against themselves."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnface.spiking.kernels import event_product as kernel
from snnface.spiking.kernels.event_product import event_product

pytestmark = pytest.mark.skipif(kernel.unavailable() is not None, reason=f"no compiled kernels: {kernel.unavailable()}")


def sparse(*size: int, density: float, seed: int) -> Tensor:
    """Counts, most of them absent."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 4, size, generator=generator)
    return counts * (torch.rand(size, generator=generator) < density)


def test_products_by_hand() -> None:
    weight = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    inputs = torch.tensor([[[0.0, 1.0, 0.0]], [[2.0, 0.0, -1.0]], [[0.0, 0.0, 0.0]]])
    assert event_product(inputs, weight).tolist() == [[[10, 20]], [[-98, -196]], [[0, 0]]]


@settings(max_examples=60)
@given(
    st.integers(1, 80),
    st.integers(1, 700),
    st.sampled_from([1, 5, 16, 130, 300]),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    st.integers(0, 99),
)
def test_it_is_the_matrix_product(
    num_rows: int, num_inputs: int, num_outputs: int, density: float, dtype: torch.dtype, seed: int
) -> None:
    inputs = sparse(num_rows, num_inputs, density=density, seed=seed).to(dtype)
    real = torch.float64 if dtype == torch.float64 else torch.float32
    weight = torch.randn(num_outputs, num_inputs, dtype=real, generator=torch.Generator().manual_seed(seed))
    products = event_product(inputs, weight)
    assert products.dtype == real
    expected = (inputs.double() @ weight.double().T).to(real)
    tolerance = 1e-12 if real == torch.float64 else 1e-3
    torch.testing.assert_close(products, expected, rtol=tolerance, atol=tolerance)


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 89), st.integers(1, 3), st.integers(0, 99))
def test_a_row_is_the_same_whatever_is_beside_it(num_rows: int, cut: int, threads: int, seed: int) -> None:
    inputs = sparse(num_rows, 1500, density=0.1, seed=seed).float()
    weight = torch.randn(133, 1500, generator=torch.Generator().manual_seed(seed))
    whole = event_product(inputs, weight)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pieces = [event_product(piece, weight) for piece in (inputs[:cut], inputs[cut:]) if len(piece)]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.cat(pieces), whole)


def test_weights_that_changed_are_read_again() -> None:
    weight, inputs = torch.nn.Parameter(torch.ones(2, 3)), torch.eye(3)
    assert event_product(inputs, weight).tolist() == [[1, 1]] * 3
    with torch.no_grad():
        weight[1] = 5
    assert event_product(inputs, weight).tolist() == [[1, 5]] * 3
    weight.data = torch.full((2, 3), 7.0)
    assert event_product(inputs, weight).tolist() == [[7, 7]] * 3


def test_weights_made_for_inference_alone() -> None:
    with torch.inference_mode():
        weight = torch.ones(2, 3)
        assert event_product(torch.eye(3), weight).tolist() == [[1, 1]] * 3
        weight[1] = 5
        assert event_product(torch.eye(3), weight).tolist() == [[1, 5]] * 3
