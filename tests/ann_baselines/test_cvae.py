import math

import pytest
import torch
from torch import nn

from ann_baselines import ConditionalVae, ConditionalVaeConfig
from snnface.errors import ConfigError, ShapeError
from snnface.events.window import Resolution

SIZE = Resolution(height=8, width=8)


def small(**config) -> ConditionalVae:
    torch.manual_seed(0)
    widths = {"channels": (4, 6), "hidden": 8, "latent": 3, **config}
    return ConditionalVae(ConditionalVaeConfig(**widths), in_channels=2, resolution=SIZE)


def test_the_papers_autoencoder_has_its_published_size() -> None:
    with torch.device("meta"):
        model = ConditionalVae(ConditionalVaeConfig(), in_channels=2, resolution=Resolution(height=64, width=64))
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    flat, condition, taps = 128 * 16 * 16, 2 * 64 * 64, 4 * 4
    encoder = 3 * 64 * taps + 64 + 64 * 128 * taps + 128 + flat * 1024 + 1024 + 2 * (1024 * 32 + 32)
    decoder = (32 + condition) * flat + flat + 128 * 64 * taps + 64 + 64 * taps + 1
    assert num_parameters == encoder + decoder == 303_404_353
    assert round(num_parameters / 2**20) == 289
    # What is over is within the rounding of the published number.
    assert 0 < num_parameters - 289 * 2**20 < 2**20 / 2


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    model = small()
    target = torch.rand(5, 1, 8, 8)
    kept: dict[str, torch.Tensor] = {}
    model.mean.register_forward_hook(lambda module, inputs, output: kept.update(mean=output))
    model.log_variance.register_forward_hook(lambda module, inputs, output: kept.update(log_variance=output))
    answers = model(torch.rand(4, 5, 2, 8, 8), torch.rand(5, 1, 8, 8), target)
    posterior = torch.distributions.Normal(kept["mean"], (kept["log_variance"] / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(answers["divergence"], expected)
    assert (answers["divergence"] > 0).all()


def test_the_code_is_drawn_in_training_and_fixed_without_a_target() -> None:
    model, events, picture = small(), torch.rand(4, 2, 2, 8, 8), torch.rand(2, 1, 8, 8)
    first, second = (model(events, picture, picture)["picture"] for _ in range(2))
    assert not torch.equal(first, second)
    answers = model(events, picture)
    assert answers.keys() == {"picture"}
    assert torch.equal(answers["picture"], model(events, picture)["picture"])


def test_in_evaluation_a_picture_that_is_shown_is_answered_by_the_middle_of_its_code() -> None:
    model, events, picture = small(), torch.rand(4, 2, 2, 8, 8), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        # A code that is certain is drawn where its mean is.
        model.log_variance.weight.zero_()
        model.log_variance.bias.fill_(-80.0)
    drawn = model(events, picture, picture)["picture"]
    answer = model.eval()(events, picture, picture)
    torch.testing.assert_close(answer["picture"], drawn)
    assert not torch.equal(answer["picture"], model(events, picture)["picture"])
    torch.testing.assert_close(answer["picture"], model(events, picture, picture)["picture"], rtol=0, atol=0)


def test_the_condition_is_the_logarithm_of_one_and_the_events_of_the_whole_clip() -> None:
    model, picture = small(), torch.rand(1, 1, 8, 8)
    kept: dict[str, torch.Tensor] = {}
    model.full.register_forward_hook(lambda module, inputs, output: kept.update(seen=inputs[0]))
    events = torch.zeros(3, 1, 2, 8, 8)
    events[0, 0, 1, 2, 5], events[2, 0, 1, 2, 5] = 3.0, 4.0
    model(events, picture)
    expected = torch.zeros(2, 8, 8)
    expected[1, 2, 5] = math.log(8)
    torch.testing.assert_close(kept["seen"], torch.cat([torch.zeros(3), expected.flatten()])[None])


def test_what_decodes_to_nothing_leaves_the_reference_as_it_is() -> None:
    model = small(sees_reference=True)
    last = model.decoder[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    reference = torch.linspace(0.01, 0.99, 2 * 64).reshape(2, 1, 8, 8)
    torch.testing.assert_close(model(torch.rand(4, 2, 2, 8, 8), reference)["picture"], reference)


@pytest.mark.parametrize("sees_reference", [True, False])
def test_only_a_condition_with_the_reference_depends_on_it(sees_reference: bool) -> None:
    model, events = small(sees_reference=sees_reference), torch.rand(4, 2, 2, 8, 8)
    dark, light = (model(events, torch.full((2, 1, 8, 8), grey))["picture"] for grey in (0.1, 0.9))
    assert torch.equal(dark, light) is not sees_reference


def test_wrong_pictures_and_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"the target picture must have the axes \[2, 1, 8, 8\]"):
        small()(torch.rand(4, 2, 2, 8, 8), torch.rand(2, 1, 8, 8), torch.rand(2, 1, 4, 4))
    with pytest.raises(ConfigError, match="not divisible by 4"):
        ConditionalVae(ConditionalVaeConfig(), in_channels=2, resolution=Resolution(height=6, width=8))
    with pytest.raises(ConfigError, match="widths must be positive"):
        ConditionalVaeConfig(latent=0)
