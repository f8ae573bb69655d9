"""A small residual ANN, made by hand, and samples for it."""

import numpy as np
import pytest

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse


@pytest.fixture
def residual_ann() -> AnnNetwork:
    """1x6x6 -> conv 4 -> conv 4 with the identity beside it -> strided conv 6 with a projection beside it -> 3."""
    generator = np.random.default_rng(0)

    def conv(inputs: int, outputs: int, side: int, *, bias: bool = True, stride: int = 1) -> Conv2dSynapse:
        weight = generator.normal(0, 1.2 / (side * inputs**0.5), (outputs, inputs, side, side))
        shift = generator.normal(0, 0.1, outputs) if bias else None
        return Conv2dSynapse(weight, shift, (stride, stride), (side // 2, side // 2))

    identity = Conv2dSynapse(np.ones((4, 1, 1, 1)), groups=4)
    return AnnNetwork(
        input_shape=(1, 6, 6),
        layers=(
            AnnLayer("stem", (4, 6, 6), (Connection(INPUT, conv(1, 4, 3)),)),
            AnnLayer("sum", (4, 6, 6), (Connection("stem", conv(4, 4, 3)), Connection("stem", identity))),
            AnnLayer("inner", (6, 3, 3), (Connection("sum", conv(4, 6, 3, stride=2)),)),
            AnnLayer(
                "last",
                (6, 3, 3),
                (Connection("inner", conv(6, 6, 3)), Connection("sum", conv(4, 6, 1, bias=False, stride=2))),
            ),
        ),
        source="last",
        readout=LinearSynapse(generator.normal(0, 0.3, (3, 54)), generator.normal(0, 0.1, 3)),
    )


@pytest.fixture
def samples() -> np.ndarray:
    """float32 [48, 1, 6, 6] in 0..1."""
    return np.random.default_rng(1).random((48, 1, 6, 6)).astype(np.float32)
