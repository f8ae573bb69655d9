"""Reading Sequential ANNs: same answers, and refusals by name and reason."""

import numpy as np
import pytest
import torch
from torch import nn

from conversion.ann_layers import layers_of
from snnface.errors import ConversionError, UnsupportedLayerError


def test_a_model_with_every_supported_layer_is_read_with_its_answers():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 6, 3, padding="same", bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2)),
        nn.Conv2d(6, 4, 3, stride=1, padding=1, groups=2),
        nn.ReLU6(),
        nn.Dropout2d(),
        nn.Conv2d(4, 4, (2, 1), dilation=(2, 1)),
        nn.Hardtanh(0.0, 2.0),
        nn.Identity(),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.Flatten(),
        nn.Linear(24, 10, bias=False),
        nn.BatchNorm1d(10),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(10, 3),
        nn.Softmax(dim=1),
    )
    with torch.no_grad():
        model[0][1].running_mean.normal_()
        model[10].running_var.uniform_(0.5, 2.0)
    ann = layers_of(model.train(), (2, 16, 16))
    assert model.training
    assert [(layer.name, layer.shape, layer.ceiling) for layer in ann.layers] == [
        ("0.0", (6, 16, 16), None),
        ("1", (4, 8, 8), 6.0),
        ("4", (4, 6, 8), 2.0),
        ("9", (10,), None),
    ]
    assert len(ann.removed) == 4
    assert "14 (Softmax): the argmax stays" in ann.removed[-1]
    inputs = torch.randn(5, 2, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        expected = model.double().eval()[:-1](inputs)
        torch.testing.assert_close(ann(inputs), expected, rtol=1e-9, atol=1e-9)


HEAD = (nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(2)], "'2' is MaxPool2d: the maximum over spikes is a logical OR"),
        ([nn.Conv2d(1, 1, 1), nn.GELU()], "'1' is GELU: its values below 0"),
        ([nn.Conv2d(1, 1, 1), nn.Softplus()], "'1' is Softplus: it has no spiking counterpart"),
        ([nn.BatchNorm2d(1)], "'0' is BatchNorm2d and must stand directly behind a Conv2d"),
        ([nn.Conv2d(1, 1, 1), nn.ReLU(), nn.BatchNorm2d(1)], "'2' is BatchNorm2d and must stand directly behind"),
        ([nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)], "'1' follows '0' without a ReLU"),
        ([nn.Conv2d(1, 1, 1), nn.AvgPool2d(2)], "'1' pools before the ReLU of '0'"),
        ([nn.ReLU()], "'0' is ReLU without weights"),
        ([nn.AvgPool2d(3, stride=2)], "only stride = window"),
        ([nn.AdaptiveAvgPool2d(3)], "does not divide it"),
        ([nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")], "only zeros"),
        ([nn.Conv2d(1, 1, 2, padding="same")], "pads an even kernel"),
        ([nn.Conv2d(1, 1, 1), nn.Hardtanh(-1, 1)], "spikes need a lower end of 0"),
        ([nn.Linear(4, 4)], "'0' is Linear and reads a map"),
        ([nn.Flatten(), nn.Conv2d(1, 1, 1)], "'1' is Conv2d and reads"),
        ([nn.Flatten(2)], "must flatten from axis 1"),
        ([nn.Conv2d(1, 1, 1), nn.ReLU()], "must end with a Linear"),
        ([nn.Flatten(), nn.Linear(16, 2)], "no hidden layer"),
        ([nn.Conv2d(1, 1, 1), nn.ReLU(), *HEAD, nn.Softmax(1), nn.Linear(2, 2)], "'5' is Linear and stands behind"),
        ([nn.Sequential(nn.TransformerEncoderLayer(4, 1))], "'0.0' is TransformerEncoderLayer"),
    ],
)  # fmt: skip
def test_what_has_no_spiking_form_is_refused_by_name(modules, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        layers_of(nn.Sequential(*modules), (1, 4, 4))


def test_own_forward_methods_are_refused():
    class Residual(nn.Module):
        def forward(self, x):
            return x + x

    with pytest.raises(UnsupportedLayerError, match=r"the model is Residual; only nn\.Sequential"):
        layers_of(Residual(), (1, 4, 4))


def test_a_model_that_computes_something_else_than_its_layers_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU(), nn.Linear(3, 2))
    model[1].bias.data.fill_(5.0)
    model[1].register_forward_hook(lambda module, inputs, output: output * 2)
    with pytest.raises(ConversionError, match="differ from the model"):
        layers_of(model, (1, 4, 4))
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU(), nn.Linear(3, 2))
    model[1].weight.data.fill_(np.nan)
    with pytest.raises(ConversionError, match="NaN weights"):
        layers_of(model, (1, 4, 4))
