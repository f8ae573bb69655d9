import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ann_baselines import (
    ClassTokenConfig,
    FlatFrameConfig,
    FrameCnnConfig,
    FrameSequence,
    FrameSequenceConfig,
    FusionConfig,
    ResNet18Config,
    TransformerConfig,
)
from snnface.errors import ConfigError
from snnface.events.window import Resolution

PIXEL = Resolution(height=1, width=1)
PAPER = {"in_channels": 1, "resolution": Resolution(height=224, width=224)}
TRANSFORMER = TransformerConfig(width=8, num_heads=2, num_encoders=1, num_decoders=1, hidden=12)
CLASS_TOKEN = ClassTokenConfig(width=8, num_heads=2, num_layers=2, hidden=12)
FUSION = FusionConfig(chunk=3, hidden=7, features=5)
PARTS = (TRANSFORMER, CLASS_TOKEN, FUSION)


def encoder(part: TransformerConfig | ClassTokenConfig | FusionConfig) -> FrameSequence:
    """Of vectors of five numbers."""
    torch.manual_seed(0)
    config = FrameSequenceConfig(frame=FlatFrameConfig(), sequence=part)
    return FrameSequence(config, in_channels=5, resolution=PIXEL).eval()


def vectors(num_steps: int = 7, num_clips: int = 2) -> torch.Tensor:
    return torch.randn(num_steps, num_clips, 5, 1, 1, generator=torch.Generator().manual_seed(1))


def changed_steps(part: TransformerConfig | ClassTokenConfig | FusionConfig, *, at: int, num_steps: int) -> list[int]:
    """Which steps of the answer change with one step of the clip."""
    model, before = encoder(part), vectors(num_steps)
    after = before.clone()
    after[at] += 3
    return [step for step, (a, b) in enumerate(zip(model(before), model(after), strict=True)) if not torch.equal(a, b)]


def num_parameters(sequence: TransformerConfig | ClassTokenConfig | FusionConfig) -> int:
    """Of the sequence part behind the papers' ResNet18 with 1024 features."""
    with torch.device("meta"):
        model = FrameSequence(FrameSequenceConfig(frame=ResNet18Config(), sequence=sequence), **PAPER)
    return sum(parameter.numel() for parameter in model.sequence.parameters())


D, HIDDEN = 1024, 2048
ATTENTION, FULL_LAYERS, NORM = 4 * D**2 + 3 * D, 2 * D * HIDDEN + HIDDEN + D, 2 * D
START = D * D + D


def test_the_papers_transformer_has_the_parameters_that_its_sizes_ask_for() -> None:
    encoders, decoders = ATTENTION + FULL_LAYERS + 2 * NORM, 2 * ATTENTION + FULL_LAYERS + 3 * NORM
    assert num_parameters(TransformerConfig()) == START + 6 * encoders + 6 * decoders + 2 * NORM == 127_036_416


def test_the_papers_class_token_encoder_has_the_parameters_that_its_sizes_ask_for() -> None:
    blocks = 6 * (ATTENTION + FULL_LAYERS + 2 * NORM)
    assert num_parameters(ClassTokenConfig()) == START + D + blocks + NORM == 51_445_760


def test_the_papers_fusion_has_the_parameters_that_its_sizes_ask_for() -> None:
    second = 512 * 128 + 128
    assert num_parameters(FusionConfig()) == (1024 * 512 + 512 + second) + (6 * 1024 * 512 + 512 + second) == 3_802_368


def test_the_papers_transformer_over_coefficients_is_small() -> None:
    sequence = TransformerConfig(width=32, num_heads=2, num_encoders=2, num_decoders=2)
    config = FrameSequenceConfig(frame=FlatFrameConfig(), sequence=sequence)
    model = FrameSequence(config, in_channels=32, resolution=PIXEL)
    full_layers, attention, norm = 2 * 32 * 2048 + 2048 + 32, 4 * 32**2 + 3 * 32, 64
    # Two blocks of one attention and two norms, two of two and three, and a norm at the end of encoder and decoder.
    expected = 32 * 33 + 4 * full_layers + (2 + 4) * attention + (4 + 6 + 2) * norm
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 559_584
    assert model(torch.rand(9, 2, 32, 1, 1)).shape == (9, 2, 32)


@pytest.mark.parametrize("part", PARTS)
@given(num_steps=st.integers(1, 9))
@torch.no_grad()
def test_clips_of_any_length_are_accepted(
    part: TransformerConfig | ClassTokenConfig | FusionConfig, num_steps: int
) -> None:
    model = encoder(part)
    answer = model(vectors(num_steps))
    assert answer.shape == (num_steps + model.config.has_class_token, 2, model.num_features)
    assert answer.isfinite().all()


@torch.no_grad()
def test_in_a_transformer_every_step_sees_every_step() -> None:
    assert changed_steps(TRANSFORMER, at=6, num_steps=7) == list(range(7))
    assert changed_steps(CLASS_TOKEN, at=6, num_steps=7) == list(range(8))


@torch.no_grad()
def test_a_transformer_knows_the_order_of_the_steps() -> None:
    for part in (TRANSFORMER, CLASS_TOKEN):
        model = encoder(part)
        clip, back = model(vectors()), model(vectors().flip(0))
        steps = slice(1, None) if model.config.has_class_token else slice(None)
        assert not torch.allclose(clip[steps].flip(0), back[steps], atol=1e-4)


@torch.no_grad()
def test_the_class_token_comes_first_and_the_steps_keep_their_order() -> None:
    model = encoder(CLASS_TOKEN)
    for block in model.sequence.encoder:
        # Without attention every row is answered by itself.
        block.self_attention.out.weight.zero_()
    one, many = model(vectors()[:1]), model(vectors())
    torch.testing.assert_close(many[:2], one)


@torch.no_grad()
def test_chunks_of_video_end_with_the_clip_and_do_not_touch_each_other() -> None:
    assert changed_steps(FUSION, at=0, num_steps=6) == [0, 1, 2]
    assert changed_steps(FUSION, at=4, num_steps=6) == [3, 4, 5]
    # Seven steps: the first chunk holds two of padding and one of the clip.
    assert changed_steps(FUSION, at=0, num_steps=7) == [0]
    assert changed_steps(FUSION, at=1, num_steps=7) == [1, 2, 3]


@torch.no_grad()
def test_a_chunk_is_its_frames_in_order_and_padding_is_zero() -> None:
    model = encoder(FUSION)
    answer, clip = model(vectors(2)), vectors(2).flatten(2)
    row = torch.cat([torch.zeros(2, 5), clip[0], clip[1]], dim=1)
    expected = torch.cat([model.sequence.frame_head(clip[1]), model.sequence.video_head(row)], dim=1)
    torch.testing.assert_close(answer[1], expected)


@torch.no_grad()
def test_frames_are_seen_one_by_one_before_the_sequence() -> None:
    config = FrameSequenceConfig(frame=FrameCnnConfig(channels=(4,), features=6), sequence=FUSION)
    model = FrameSequence(config, in_channels=2, resolution=Resolution(height=4, width=4)).eval()
    clip = torch.rand(3, 2, 2, 4, 4)
    alone = torch.stack([model.frame(step) for step in clip])
    torch.testing.assert_close(model(clip), model.sequence(alone))


@pytest.mark.parametrize("part", PARTS)
def test_half_precision_gives_nearly_the_same(part: TransformerConfig | ClassTokenConfig | FusionConfig) -> None:
    model = encoder(part)
    exact = model(vectors())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(vectors())
    torch.testing.assert_close(half.float(), exact, rtol=0.1, atol=0.1)
    half.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one block of each kind"):
        TransformerConfig(num_decoders=0)
    with pytest.raises(ConfigError, match="share evenly; got 1023"):
        ClassTokenConfig(width=1023)
    with pytest.raises(ConfigError, match="sizes must be positive"):
        FusionConfig(chunk=0)
