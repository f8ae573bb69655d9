"""Augmented training clips: what each change does, that labels follow, and that draws depend on seed, epoch, clip."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets import ClipSamples, SyntheticFaces, SyntheticFacesConfig, batches
from snnface.datasets.augmentation import AugmentationConfig, AugmentedSamples, mirrored_classes
from snnface.datasets.coefficient_samples import Coefficients, CoefficientSamples, CoefficientsConfig
from snnface.datasets.padding import PaddedSamples
from snnface.datasets.picture_samples import PictureSamples
from snnface.errors import ConfigError, DataError
from snnface.events import Resolution
from snnface.events.filters import flip_horizontal
from snnface.events.frames import FrameClip
from snnface.faces.action_units import ACTION_UNITS
from snnface.recording import Recording
from snnface.representations import HistogramConfig, PolarityHistogram
from snnface.seeding import SeedTree

FACES = SyntheticFaces(SyntheticFacesConfig(num_identities=3, clips_per_action_unit=1, action_units=(12, 51, 52)))
PICTURES = PolarityHistogram(HistogramConfig(resolution=Resolution(height=16, width=16)))
PLAIN = ClipSamples(FACES, FACES.clips, PICTURES)


def augmented(*, seed: int = 0, targets: tuple[str, ...] | None = ("action_unit",), **options: Any) -> AugmentedSamples:
    return AugmentedSamples(
        PLAIN, AugmentationConfig(**options), seeds=SeedTree(seed), class_names=FACES.class_names, targets=targets
    )


def test_nothing_is_changed_by_default() -> None:
    for index in range(len(PLAIN)):
        assert torch.equal(augmented()[index].inputs, PLAIN[index].inputs)
    assert AugmentationConfig().is_off


def test_a_flipped_picture_is_the_picture_of_flipped_events() -> None:
    clip = FACES.clips[1]
    recording = FACES.recording(clip.recording_id)
    mirrored = Recording(
        recording_id="mirrored", subject=clip.subject, events=flip_horizontal(recording.required_events())
    )
    flipped = augmented(flip=1.0)[1].inputs
    np.testing.assert_array_equal(flipped.numpy(), PICTURES(mirrored, clip.window))
    assert not torch.equal(flipped, PLAIN[1].inputs)


def test_sides_change_places_and_other_units_stay_when_flipped() -> None:
    classes = [int(sample.targets["action_unit"]) for sample in (PLAIN[i] for i in range(len(PLAIN)))]
    assert set(classes) == {0, 1, 2}
    for index, before in enumerate(classes):
        # The classes are units 12, 51 (left) and 52 (right).
        assert int(augmented(flip=1.0)[index].targets["action_unit"]) == {0: 0, 1: 2, 2: 1}[before]


def test_a_clip_whose_mirrored_class_is_not_there_is_not_flipped() -> None:
    faces = SyntheticFaces(SyntheticFacesConfig(num_identities=3, clips_per_action_unit=1, action_units=(12, 51)))
    plain = ClipSamples(faces, faces.clips, PICTURES)
    flipped = AugmentedSamples(
        plain,
        AugmentationConfig(flip=1.0),
        seeds=SeedTree(0),
        class_names=faces.class_names,
        targets=("action_unit",),
    )
    for index in range(len(plain)):
        is_sided = int(plain[index].targets["action_unit"]) == 1
        assert torch.equal(flipped[index].inputs, plain[index].inputs) == is_sided
        assert int(flipped[index].targets["action_unit"]) == int(is_sided)


def test_intensities_of_units_change_sides_and_affect_stays() -> None:
    plain, flipped = PLAIN[4].targets, augmented(flip=1.0, targets=None)[4].targets
    assert torch.equal(flipped["action_unit_intensity"], plain["action_unit_intensity"][:, [0, 2, 1]])
    assert torch.equal(flipped["valence_arousal"], plain["valence_arousal"])


def test_units_of_one_side_are_those_of_head_and_gaze() -> None:
    names = [unit.label for unit in ACTION_UNITS.values()]
    pairs = {names[i][:4] + names[j][:4] for i, j in enumerate(mirrored_classes(names)) if j is not None and i != j}
    assert pairs == {"AU51AU52", "AU52AU51", "AU55AU56", "AU56AU55", "AU61AU62", "AU62AU61"}
    assert mirrored_classes(["happy", "AU12"]) == (0, 1)
    assert mirrored_classes(["AU61 eyes turn left"]) == (None,)


@given(seed=st.integers(0, 2**32), epoch=st.integers(0, 99))
def test_a_shift_moves_every_event_alike_and_loses_those_at_the_border_only(seed: int, epoch: int) -> None:
    samples = augmented(seed=seed, max_shift=3)
    samples.set_epoch(epoch)
    before, after = PLAIN[0].inputs, samples[0].inputs
    wide = torch.nn.functional.pad(before, (3, 3, 3, 3))
    matches = [
        (row, column)
        for row in range(7)
        for column in range(7)
        if torch.equal(after, wide[:, :, row : row + 16, column : column + 16])
    ]
    assert len(matches) == 1


def test_every_shift_occurs() -> None:
    samples, seen = augmented(max_time_jitter=1), set()
    for epoch in range(12):
        samples.set_epoch(epoch)
        after, before = samples[2].inputs, PLAIN[2].inputs
        same = torch.equal(after, before)
        late = torch.equal(after[1:], before[:-1]) and not after[0].any()
        early = torch.equal(after[:-1], before[1:]) and not after[-1].any()
        assert same or late or early
        seen.add((same, late, early))
    assert len(seen) == 3


def test_jitter_longer_than_the_clip_leaves_nothing_or_all() -> None:
    samples = augmented(max_time_jitter=10_000)
    for epoch in range(5):
        samples.set_epoch(epoch)
        assert samples[0].inputs.shape == PLAIN[0].inputs.shape


def test_dropping_leaves_out_events_one_by_one() -> None:
    samples, shares = augmented(max_event_drop=0.5), []
    total = PLAIN[0].inputs.sum()
    for epoch in range(40):
        samples.set_epoch(epoch)
        thinned = samples[0].inputs
        assert torch.equal(thinned, thinned.round())
        assert bool((thinned <= PLAIN[0].inputs).all())
        assert bool((thinned >= 0).all())
        shares.append(float(thinned.sum() / total))
    # The share kept is uniform in 0.5..1, so its mean over 40 epochs lies within 4 sigma = 0.09 of 0.75.
    assert abs(np.mean(shares) - 0.75) < 0.09
    assert min(shares) > 0.45


def test_swapping_exchanges_on_and_off() -> None:
    assert torch.equal(augmented(polarity_swap=1.0)[3].inputs, PLAIN[3].inputs[:, [1, 0]])


ALL = {"flip": 0.5, "max_shift": 2, "max_event_drop": 0.3, "max_time_jitter": 2, "polarity_swap": 0.5}


def test_draws_depend_on_seed_epoch_and_clip_alone() -> None:
    one, other, foreign = augmented(seed=7, **ALL), augmented(seed=7, **ALL), augmented(seed=8, **ALL)
    for samples in (one, other, foreign):
        samples.set_epoch(3)
    forwards = {index: one[index].inputs for index in range(len(one))}
    backwards = {index: other[index].inputs for index in reversed(range(len(other)))}
    assert all(torch.equal(forwards[index], backwards[index]) for index in forwards)
    assert any(not torch.equal(forwards[index], foreign[index].inputs) for index in forwards)
    one.set_epoch(4)
    assert any(not torch.equal(forwards[index], one[index].inputs) for index in forwards)


def test_one_setting_does_not_shift_the_draws_of_the_others() -> None:
    both, alone = augmented(max_shift=2, polarity_swap=1.0), augmented(max_shift=2)
    assert torch.equal(both[0].inputs.flip(1), alone[0].inputs)


def test_the_cache_is_not_changed() -> None:
    before = PLAIN[0].inputs.clone()
    _ = augmented(**ALL)[0]
    assert torch.equal(PLAIN[0].inputs, before)


def test_a_loader_takes_augmented_samples() -> None:
    (batch,) = batches(augmented(**ALL), batch_size=len(PLAIN))
    assert batch.inputs.shape[1] == len(FACES.clips)
    assert list(batch.targets) == ["action_unit"]


def test_labels_that_cannot_follow_are_refused() -> None:
    with pytest.raises(ConfigError, match="'action_unit_intensity' changes within a clip"):
        augmented(targets=None, max_time_jitter=1)
    with pytest.raises(ConfigError, match="set max_time_jitter to 0"):
        AugmentedSamples(
            PaddedSamples(FACES, FACES.clips, PICTURES, num_steps=99),
            AugmentationConfig(max_time_jitter=1),
            seeds=SeedTree(0),
            class_names=FACES.class_names,
            targets=("action_unit",),
        )


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        (
            "landmarks68",
            {"max_shift": 1},
            "'landmarks68' is tied to places in the picture; set",
        ),
        ("alpha", {"flip": 0.5}, "what becomes of the shape 'alpha' in a mirror is not known; set flip to 0"),
        ("mood", {"flip": 0.5}, "what becomes of the label 'mood' when a face is mirrored is not known"),
    ],
)
def test_labels_that_cannot_follow_are_refused_by_name(label: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        labelled(label, AugmentationConfig(**options))


def test_the_shape_of_a_face_stays_when_it_is_moved() -> None:
    moved = [labelled("alpha", AugmentationConfig(max_shift=2))[index] for index in range(len(FACES.clips))]
    assert all(sample.targets["alpha"] == 1 for sample in moved)
    assert any(not torch.equal(sample.inputs, PLAIN[index].inputs) for index, sample in enumerate(moved))


def labelled(label: str, config: AugmentationConfig) -> AugmentedSamples:
    class Labelled:
        name, is_synthetic, class_names = FACES.name, True, FACES.class_names
        clips = tuple(
            replace(clip, labels={label: 1.0}, label_t_us=None, over_time=frozenset()) for clip in FACES.clips
        )
        recording = FACES.recording

    samples = ClipSamples(Labelled(), Labelled.clips, PICTURES)  # type: ignore[arg-type]
    return AugmentedSamples(samples, config, seeds=SeedTree(0), class_names=FACES.class_names)


def test_values_that_are_no_counts_cannot_lose_events() -> None:
    class Halves(PolarityHistogram):
        def __call__(self, *arguments: Any) -> np.ndarray:
            return super().__call__(*arguments) / 2

    samples = ClipSamples(FACES, FACES.clips, Halves(PICTURES.config))
    thinned = AugmentedSamples(
        samples,
        AugmentationConfig(max_event_drop=0.5),
        seeds=SeedTree(0),
        class_names=FACES.class_names,
    )
    with pytest.raises(DataError, match="holds values that are no counts"):
        thinned[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"flip": 1.5}, "flip is a probability in 0..1; got 1.5"), ({"max_shift": -1}, "max_shift must not be negative")],
)
def test_a_config_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentationConfig(**options)


class Filmed:
    """The synthetic faces with two grey frames beside their events, one at each end of a clip."""

    name, is_synthetic, class_names, clips = FACES.name, True, FACES.class_names, FACES.clips

    def recording(self, recording_id: str) -> Recording:
        recording = FACES.recording(recording_id)
        window = next(clip.window for clip in FACES.clips if clip.recording_id == recording_id)
        size = recording.required_events().resolution
        shape = (2, size.height, size.width, 1)
        pixels = np.random.default_rng(len(recording_id)).integers(0, 256, shape, np.uint8)
        return replace(recording, frames=FrameClip(pixels, np.array([window.start_us, window.end_us - 1])))


FILMED = PictureSamples(Filmed(), FACES.clips, PICTURES)
ENDS = ("picture", "reference_picture")


def reconstructed(**options: Any) -> AugmentedSamples:
    return AugmentedSamples(
        FILMED, AugmentationConfig(**options), seeds=SeedTree(0), class_names=FACES.class_names, targets=ENDS
    )


def test_pictures_to_be_made_are_mirrored_with_their_events() -> None:
    plain, flipped = FILMED[0], reconstructed(flip=1.0)[0]
    assert torch.equal(flipped.inputs, plain.inputs.flip(3))
    assert set(flipped.targets) == set(ENDS)
    for name in ENDS:
        assert torch.equal(flipped.targets[name], plain.targets[name].flip(2))
        assert not torch.equal(flipped.targets[name], plain.targets[name])


def test_pictures_to_be_made_move_as_far_as_their_events_and_repeat_their_border() -> None:
    plain, seen = FILMED[1], set()
    for epoch in range(8):
        samples = reconstructed(max_shift=2)
        samples.set_epoch(epoch)
        moved = samples[1]
        wide = torch.nn.functional.pad(plain.inputs, (2, 2, 2, 2))
        ((row, column),) = [
            (row, column)
            for row in range(5)
            for column in range(5)
            if torch.equal(moved.inputs, wide[:, :, row : row + 16, column : column + 16])
        ]
        for name in ENDS:
            bordered = torch.nn.functional.pad(plain.targets[name], (2, 2, 2, 2), mode="replicate")
            assert torch.equal(moved.targets[name], bordered[:, row : row + 16, column : column + 16])
        seen.add((row, column))
    assert len(seen) > 3


def test_a_flip_and_a_shift_leave_the_pictures_of_the_set_as_they_are() -> None:
    before = {name: FILMED[2].targets[name].clone() for name in ENDS}
    _ = reconstructed(flip=1.0, max_shift=3)[2]
    assert all(torch.equal(FILMED[2].targets[name], picture) for name, picture in before.items())


@pytest.mark.parametrize("options", [{"max_time_jitter": 1}, {"polarity_swap": 0.5}])
def test_events_that_would_not_lead_from_picture_to_picture_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"'reference_picture' and 'picture' .* Set max_time_jitter"):
        reconstructed(**options)


def test_coefficients_are_no_pictures() -> None:
    coefficients = Coefficients(CoefficientsConfig(num_coefficients=4))
    samples = CoefficientSamples(FACES, FACES.clips, coefficients, num_steps=99)
    with pytest.raises(ConfigError, match="coefficients of a face are no picture"):
        AugmentedSamples(samples, AugmentationConfig(flip=0.5), seeds=SeedTree(0), class_names=FACES.class_names)
