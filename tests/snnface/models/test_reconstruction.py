import pytest
import torch
from torch import nn

from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events.window import Resolution
from snnface.models import SpikingReconstruction, SpikingReconstructionConfig

SIZE = Resolution(height=8, width=12)


def model(**config) -> SpikingReconstruction:
    return SpikingReconstruction(SpikingReconstructionConfig(**config), in_channels=2, resolution=SIZE)


def reference(num_clips: int = 2) -> torch.Tensor:
    return torch.linspace(0.05, 0.95, 96).reshape(1, 1, 8, 12).expand(num_clips, -1, -1, -1)


def test_before_training_the_answer_is_the_reference() -> None:
    picture = model()(torch.ones(4, 2, 2, 8, 12), reference())["picture"]
    torch.testing.assert_close(picture, reference())


def test_the_potential_is_added_to_the_log_odds() -> None:
    network = model().eval()
    nn.init.constant_(network.readout.bias, 0.7)
    picture = network(torch.zeros(3, 2, 2, 8, 12), reference())["picture"]
    torch.testing.assert_close(torch.logit(picture), torch.logit(reference()) + 0.7)


def test_black_and_white_references_stay_finite() -> None:
    black_and_white = torch.zeros(1, 1, 8, 12)
    black_and_white[..., 6:] = 1
    picture = model()(torch.zeros(2, 1, 2, 8, 12), black_and_white)["picture"]
    torch.testing.assert_close(picture, black_and_white, rtol=0, atol=1.1e-3)


def test_events_in_one_corner_change_the_picture_there_only() -> None:
    torch.manual_seed(0)
    network = model(encoder=(4,), decoder=(4,), kernel_size=3).eval()
    nn.init.normal_(network.readout.weight)
    for layer in (*network.encoder, *network.decoder):
        layer.norm.running_var.fill_(0.01)
    events = torch.zeros(4, 1, 2, 8, 12)
    events[..., :2, :2] = 5
    grey = torch.full((1, 1, 8, 12), 0.5)
    changed = (network(events, grey)["picture"] != network(torch.zeros_like(events), grey)["picture"])[0, 0]
    # Three kernels of 3 pixels reach 3 pixels beyond the events.
    assert changed[:2, :2].any()
    assert not changed[5:].any()
    assert not changed[:, 5:].any()


def test_it_learns_a_change_that_the_events_tell() -> None:
    torch.manual_seed(0)
    network = model(encoder=(6,), decoder=(6,), kernel_size=3)
    events = torch.zeros(4, 2, 2, 8, 12)
    events[:, 0, 0, 2:6, 2:6] = 1
    events[:, 1, 1, 2:6, 6:10] = 1
    grey, target = torch.full((2, 1, 8, 12), 0.5), torch.full((2, 1, 8, 12), 0.5)
    target[0, :, 2:6, 2:6] = 0.8
    target[1, :, 2:6, 6:10] = 0.2
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(30):
        loss = (network(events, grey)["picture"] - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.3 * (grey - target).square().mean()


def test_wrong_pictures_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"the reference picture must have the axes \[2, 1, 8, 12\]"):
        model()(torch.zeros(3, 2, 2, 8, 12), reference(3))
    with pytest.raises(DataError, match="no finite numbers"):
        model()(torch.full((3, 2, 2, 8, 12), torch.nan), reference())


@pytest.mark.parametrize("white", [255.0, float("nan")])
def test_a_reference_that_is_no_brightness_is_refused(white: float) -> None:
    with pytest.raises(DataError, match=r"brightness in 0\.\.1; it spans"):
        model()(torch.zeros(3, 2, 2, 8, 12), reference() * white)


@pytest.mark.parametrize(
    ("config", "message"),
    [({"encoder": ()}, "at least one encoder"), ({"decoder": (0,)}, "positive"), ({"kernel_size": 4}, "odd")],
)
def test_impossible_widths_are_refused(config, message) -> None:
    with pytest.raises(ConfigError, match=message):
        SpikingReconstructionConfig(**config)
