import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets import ClipSamples, SyntheticFaces, SyntheticFacesConfig, batches
from snnface.errors import ConfigError
from snnface.events import Resolution
from snnface.representations import HistogramConfig, PolarityHistogram

FACES = SyntheticFaces(SyntheticFacesConfig(num_identities=3, clips_per_action_unit=1, action_units=(12, 26)))
PICTURES = PolarityHistogram(HistogramConfig(resolution=Resolution(height=16, width=16)))


def samples(**options: int) -> ClipSamples:
    return ClipSamples(FACES, FACES.clips, PICTURES, **options)


def test_a_sample_is_its_clip_under_the_representation() -> None:
    clip = FACES.clips[3]
    sample = samples()[3]
    np.testing.assert_array_equal(sample.inputs.numpy(), PICTURES(FACES.recording(clip.recording_id), clip.window))
    assert sample.clip_id == clip.clip_id
    assert int(sample.targets["action_unit"]) == clip.labels["action_unit"]


def test_a_cache_without_room_changes_nothing() -> None:
    roomy, tight = samples(), samples(cache_bytes=0)
    for index in (0, 1, 0):
        assert torch.equal(roomy[index].inputs, tight[index].inputs)


def test_without_a_generator_clips_keep_their_order() -> None:
    names = [name for batch in batches(samples(), batch_size=4) for name in batch.clip_ids]
    assert names == [clip.clip_id for clip in FACES.clips]


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_shares_are_equally_many_and_cover_every_clip(num_shares: int, seed: int) -> None:
    orders = [
        list(
            batches(
                samples(),
                batch_size=1,
                generator=torch.Generator().manual_seed(seed),
                share=share,
                num_shares=num_shares,
            ).sampler
        )
        for share in range(num_shares)
    ]
    assert {len(order) for order in orders} == {-(-len(FACES.clips) // num_shares)}
    assert {index for order in orders for index in order} == set(range(len(FACES.clips)))


def test_no_clips_make_no_loader() -> None:
    with pytest.raises(ConfigError, match="the split is empty"):
        batches(ClipSamples(FACES, (), PICTURES), batch_size=1)
