"""Sequential ANNs in two plain files: they give back the model, and broken ones are refused."""

import json

import pytest
import torch
from bar_pictures import bar_pictures, trained_ann
from torch import nn

from conversion.sequential_file import load_sequential, save_sequential
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, UnsupportedLayerError


@pytest.fixture
def files(tmp_path):
    """A saved model."""
    save_sequential(trained_ann(), tmp_path / "model.json", input_shape=(1, 12, 12))
    return tmp_path


def test_a_model_file_gives_back_the_model(files):
    model, shape = load_sequential(files / "model.json")
    assert shape == (1, 12, 12)
    samples = torch.as_tensor(bar_pictures(4, 7)[0])
    with torch.no_grad():
        torch.testing.assert_close(model(samples), trained_ann()(samples))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": 2}, DataError, "of version 1"),
        ({"input_shape": [0]}, DataError, "positive whole numbers"),
        ({"layers": [{"type": "conv3d"}]}, ConfigError, "unknown type of layer 0 'conv3d'"),
        ({"layers": [{"type": "linear", "in_feature": 3}]}, ConfigError, "Did you mean 'in_features'"),
        ({"layers": [{"type": "linear", "in_features": 3}]}, DataError, "cannot be built"),
        ({"layers": [{"type": "linear", "in_features": 10**6, "out_features": 10**6}]}, DataError, "do not fit"),
        ({"layers": 3}, DataError, "or is damaged"),
    ],
)  # fmt: skip
def test_a_wrong_model_file_is_refused(files, change, error, message):
    header = json.loads((files / "model.json").read_text()) | change
    (files / "model.json").write_text(json.dumps(header))
    with pytest.raises(error, match=message):
        load_sequential(files / "model.json")


def test_broken_weights_and_unknown_layers_are_refused(files):
    (files / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(DataError, match="do not fit the layers"):
        load_sequential(files / "model.json")
    (files / "model.safetensors").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"a model is a \.json and a \.safetensors"):
        load_sequential(files / "model.json")
    with pytest.raises(UnsupportedLayerError, match="layer 0 is GELU"):
        save_sequential(nn.Sequential(nn.GELU()), files / "other.json", input_shape=(1,))
