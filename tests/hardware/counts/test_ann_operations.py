"""The ANN baseline's counts against loops and gradients."""

import itertools

import pytest
import torch
from torch import nn

from hardware.counts.ann_operations import count_ann_operations
from snnface.errors import DataError, ShapeError


class SmallAnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(4 * 3 * 3, 5, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(inputs))).flatten(1))


def test_ann_counts_skip_padding_and_zeros() -> None:
    torch.manual_seed(0)
    module = SmallAnn()
    inputs = torch.randn(3, 2, 6, 6) * (torch.rand(3, 2, 6, 6) < 0.5)
    counted = count_ann_operations(module, inputs, batch_axis=0)
    conv, head = counted.layers
    found = [
        (channel, row * 2 - 1 + a, column * 2 - 1 + b)
        for output, row, column, a, b in itertools.product(range(4), range(3), range(3), range(3), range(3))
        for channel in [output // 2]
        if 0 <= row * 2 - 1 + a < 6 and 0 <= column * 2 - 1 + b < 6
    ]
    assert conv.counts["dense"].tolist() == [len(found)] * 3
    assert conv.counts["dense_pad"].tolist() == [4 * 3 * 3 * 9] * 3
    expected = [sum(bool(sample[source] != 0) for source in found) for sample in inputs]
    assert conv.counts["effective"].tolist() == expected
    assert conv.counts["bias_adds"].tolist() == [36] * 3
    assert conv.num_parameters == 4 * 9 + 4
    hidden = torch.relu(module.eval().norm(module.conv(inputs))).flatten(1)
    assert head.counts["effective"].tolist() == ((hidden != 0).sum(1) * 5).tolist()
    assert head.counts["bias_adds"].tolist() == [0] * 3
    assert counted.activation_sparsity == pytest.approx(float((hidden == 0).double().mean()))
    assert counted.num_parameters == 40 + 180
    assert counted.total("dense").mean == len(found) + 180


def test_ann_layers_that_cannot_be_counted_are_named() -> None:
    class Odd(SmallAnn):
        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.GRU(5, 4)
            self.attention = nn.MultiheadAttention(4, 2)

    warnings = " ".join(count_ann_operations(Odd(), torch.ones(1, 2, 6, 6), batch_axis=0).warnings)
    assert "layer 'unused' (Linear) has weights, but its forward was never called" in warnings
    assert "module 'memory' (GRU) has parameters of its own that cannot be counted" in warnings
    assert "'attention.out_proj'" in warnings
    assert "'attention': the matrix products of attention are not counted" in warnings
    assert "norm" not in warnings


def test_ann_lstm_multiplies_all_its_weights_in_every_step() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.LSTM(3, 2, num_layers=2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.memory(inputs)[0]

    inputs = torch.ones(5, 2, 3)
    inputs[1, 0, 2] = 0
    (layer,) = count_ann_operations(Net(), inputs, batch_axis=1).layers
    # Four gates of 2: from 3 inputs and 2 hidden states, then from 2 and 2.
    weights = 8 * (3 + 2) + 8 * (2 + 2)
    assert layer.counts["dense"].tolist() == [5 * weights] * 2
    # Without what the state of zeros at the start, and the one zero input of the first sample, would be multiplied by.
    assert layer.counts["effective"].tolist() == [5 * weights - 2 * 8 * 2 - 8, 5 * weights - 2 * 8 * 2]
    assert layer.counts["bias_adds"].tolist() == [5 * 4 * 8] * 2
    assert (layer.kind, layer.num_parameters) == ("LSTM", weights + 4 * 8)
    assert layer.counts["frames"].tolist() == [5, 5]


def test_ann_attention_counts_scores_and_weighted_values() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.full = nn.Linear(4, 4)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            rows = self.full(inputs).unflatten(2, (2, 2)).transpose(1, 2)
            return nn.functional.scaled_dot_product_attention(rows, rows[:, :, :3], value=rows[:, :, :3])

    counted = count_ann_operations(Net(), torch.randn(2, 5, 4), batch_axis=0)
    full, products = counted.layers
    assert (full.kind, products.kind, products.num_parameters) == ("Linear", "attention", 0)
    # Two heads, five queries, three keys: products of 2 for the score, of 2 for the values.
    assert products.counts["dense"].tolist() == products.counts["effective"].tolist() == [2 * 5 * 3 * (2 + 2)] * 2


def test_ann_transposed_convolution_counts_the_products_that_reach_the_output() -> None:
    layer = nn.ConvTranspose1d(1, 2, 4, stride=2, padding=1)
    inputs = torch.tensor([[[1.0, 0.0, 3.0]], [[0.0, 0.0, 5.0]]])
    (counted,) = count_ann_operations(nn.Sequential(layer), inputs, batch_axis=0).layers
    # Three inputs, four taps, six outputs: the first tap of the first and the last of the last fall beside them.
    # By position 3, 4 and 3 taps, each into two channels.
    assert counted.counts["dense"].tolist() == [2 * 10] * 2
    assert counted.counts["effective"].tolist() == [2 * (3 + 3), 2 * 3]
    assert counted.counts["dense_pad"].tolist() == [3 * 2 * 4] * 2
    assert counted.counts["bias_adds"].tolist() == [2 * 6] * 2
    assert (counted.kind, counted.num_parameters, counted.kernel_size) == ("ConvTranspose1d", 2 * 4 + 2, 2 * 4)
    assert (counted.input_size, counted.output_size) == (3, 12)


def test_ann_transposed_convolutions_of_one_layer_may_answer_pictures_of_several_sizes() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose1d(1, 1, 2, stride=2, bias=False)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.up(inputs).sum() + self.up(inputs, output_size=[7]).sum()

    (layer,) = count_ann_operations(Net(), torch.ones(1, 1, 3), batch_axis=0).layers
    # The seventh output has no input that reaches it.
    assert layer.counts["dense"].tolist() == [6 + 6]
    assert layer.counts["outputs"].tolist() == [6 + 7]
    assert layer.counts["bias_adds"].tolist() == [0]


@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (nn.ConvTranspose2d(4, 6, (4, 3), stride=(2, 3), padding=(1, 2), groups=2), (4, 3, 5)),
        (nn.ConvTranspose2d(2, 1, 3, stride=2, padding=1, output_padding=1, dilation=2), (2, 4, 3)),
        (nn.ConvTranspose3d(1, 2, 2, stride=(1, 2, 1), padding=(1, 0, 1)), (1, 3, 2, 4)),
        (nn.ConvTranspose1d(3, 2, 5, padding=4), (3, 6)),
    ],
)
def test_ann_transposed_dense_equals_the_gradient_of_ones(conv: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(1, *shape) * (torch.rand(1, *shape) < 0.6)
    counted = count_ann_operations(conv, inputs, batch_axis=0)
    ones = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    conv.double()
    nn.init.ones_(conv.weight)
    conv(ones).sum().backward()
    assert ones.grad is not None
    assert counted.total("dense").mean == float(ones.grad.sum())
    assert counted.total("effective").mean == float(ones.grad[inputs != 0].sum())


def test_ann_counts_are_per_inference_when_time_is_folded_into_the_batch() -> None:
    class PerFrame(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.conv(inputs.flatten(0, 1))

    counted = count_ann_operations(PerFrame(), torch.ones(7, 2, 1, 4, 4), batch_axis=1)
    assert counted.num_samples == 2
    assert counted.total("dense").mean == 7 * 16


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (nn.Conv3d(2, 3, (3, 1, 3), padding=(1, 0, 1), stride=(2, 1, 1)), (2, 4, 3, 5)),
        (nn.Conv2d(1, 2, (4, 3), padding="same", dilation=(1, 2)), (1, 6, 7)),
        (nn.Conv2d(1, 2, 3, padding="valid"), (1, 4, 4)),
        (nn.Conv1d(2, 4, 3, padding=1, groups=2), (2, 9)),
    ],
)
def test_ann_dense_equals_the_gradient_of_a_convolution_of_ones(conv: nn.Module, shape: tuple[int, ...]) -> None:
    counted = count_ann_operations(conv, torch.ones(1, *shape), batch_axis=0)
    ones = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    conv.double()
    nn.init.ones_(conv.weight)
    conv(ones).sum().backward()
    assert ones.grad is not None
    assert counted.total("dense").mean == float(ones.grad.sum())
    assert counted.total("effective").mean == counted.total("dense").mean


def test_ann_hooks_and_training_flags_are_restored_after_an_error() -> None:
    module = SmallAnn()
    module.norm.eval()
    with pytest.raises(RuntimeError):
        count_ann_operations(module, torch.ones(1, 2, 9, 9), batch_axis=0)
    assert module.training
    assert module.conv.training
    assert not module.norm.training
    assert all(not part._forward_hooks for part in module.modules())


def test_ann_counts_of_batches_add_up() -> None:
    torch.manual_seed(1)
    module, inputs = SmallAnn(), torch.randn(4, 2, 6, 6)
    whole = count_ann_operations(module, inputs, batch_axis=0)
    pieces = count_ann_operations(module, inputs[:1], batch_axis=0).combine(
        count_ann_operations(module, inputs[1:], batch_axis=0)
    )
    assert pieces.per_sample("effective").tolist() == whole.per_sample("effective").tolist()
    assert pieces.warnings == whole.warnings
    with pytest.raises(DataError, match="only counts of one network"):
        whole.combine(count_ann_operations(nn.Linear(2, 2), torch.ones(1, 2), batch_axis=0))
    with pytest.raises(ShapeError, match="at least one sample along axis 5"):
        count_ann_operations(module, inputs, batch_axis=5)
