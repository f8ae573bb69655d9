"""Emotions told by a network for valence and arousal: templates, the frame that tells, what is masked and refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnface.app.emotion_transfer import EmotionTransfer, LabelTransfer, emotion_faces, transfer_emotions
from snnface.app.experiment import Experiment
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.recipes import Recipe, recipe_named
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip, Label
from snnface.datasets.published.nefer import Nefer
from snnface.datasets.splits import Split, named_split
from snnface.datasets.synthesis import EmotionSetConfig
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import HistogramConfig

STEP_US = 33_000
SENSOR = Resolution(height=4, width=4)
NAMES = ("calm", "glad", "wild")
Mood = tuple[int, int]
NEUTRAL: Mood = (0, 0)


class Counting(nn.Module):
    """Valence is a tenth of the ON events of a step, arousal a tenth of the OFF events."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.1))

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"valence_arousal": self.gain * inputs.sum((3, 4))}


class Moods:
    """Recordings that show given moods, step by step; each is one clip, or windows of it."""

    name, is_synthetic = "moods", False

    def __init__(
        self, moods: Mapping[str, Sequence[Mood]], labels: Mapping[str, str], *, window_steps: int = 99
    ) -> None:
        self.moods = moods
        self.class_names = MappingProxyType({"emotion": NAMES})
        clips = []
        for name, steps in moods.items():
            for start in range(0, len(steps), window_steps):
                window = TimeWindow(start * STEP_US, min(start + window_steps, len(steps)) * STEP_US)
                felt: dict[str, Label] = {"emotion": NAMES.index(labels[name])} if name in labels else {}
                clips.append(Clip(f"{name}@{start}", name, name.split("/")[0], window, MappingProxyType(felt)))
        # Windows need not come in order.
        self.clips = tuple(reversed(clips))

    def recording(self, recording_id: str) -> Recording:
        times, polarities = [], []
        for step, (on, off) in enumerate(self.moods[recording_id]):
            times += [step * STEP_US] * (on + off)
            polarities += [True] * on + [False] * off
        zeros = np.zeros(len(times), np.uint16)
        events = EventStream(
            x=zeros, y=zeros, t_us=np.array(times, np.int64), polarity=np.array(polarities, bool), resolution=SENSOR
        )
        return Recording(recording_id, recording_id.split("/")[0], events=events)


def recipe() -> Recipe:
    known = recipe_named("valence-arousal-plif")
    return replace(known, representation=HistogramConfig(resolution=SENSOR))


def experiment(data: Moods, test: Sequence[str]) -> Experiment:
    train = {clip.subject for clip in data.clips} - {*test}
    return Experiment(recipe(), data, named_split(data.clips, train=train, test=test))


TRAINING: dict[str, Sequence[Mood]] = {
    "p1/calm": [(0, 0), (1, 0)],
    "p1/glad": [(4, 0), (6, 0)],
    "p2/wild": [(2, 8), (2, 4)],
}
TRAINING_LABELS = {"p1/calm": "calm", "p1/glad": "glad", "p2/wild": "wild"}


def told(test: Mapping[str, Sequence[Mood]], labels: Mapping[str, str], **options: int) -> EmotionTransfer:
    data = Moods({**TRAINING, **test}, {**TRAINING_LABELS, **labels}, **options)
    return transfer_emotions(experiment(data, sorted({name.split("/")[0] for name in test})), Counting())


def test_templates_are_means_and_videos_are_told_by_their_farthest_frame() -> None:
    found = told(
        {"q/a": [NEUTRAL, NEUTRAL, (5, 1), NEUTRAL], "q/b": [NEUTRAL, (1, 5), NEUTRAL]}, {"q/a": "glad", "q/b": "calm"}
    )
    label = found.labels["emotion"]
    assert label.templates == {
        "calm": pytest.approx((0.05, 0.0)), "glad": pytest.approx((0.5, 0.0)), "wild": pytest.approx((0.2, 0.6))
    }  # fmt: skip
    videos = {video.video: video for video in label.videos}
    assert (videos["q/a"].answer, videos["q/a"].second) == ("glad", pytest.approx(0.066))
    assert (videos["q/a"].valence, videos["q/a"].arousal) == pytest.approx((0.5, 0.1))
    assert videos["q/b"].answer == "wild"
    assert label.scores["model"]["top1"].value == 0.5
    assert label.classes["calm"].answered == {"wild": 1}
    assert (found.num_training_videos, found.num_test_videos, found.num_test_subjects) == (3, 2, 1)


def test_chance_and_the_most_frequent_class_stand_beside() -> None:
    found = told({"q/a": [(5, 1)], "r/b": [(0, 0)]}, {"q/a": "glad", "r/b": "calm"})
    scores = found.labels["emotion"].scores
    assert list(scores) == ["model", "constant", "chance"]
    assert scores["chance"]["top1"].value == pytest.approx(1 / 3)
    # Every class has one training video: the first of equals is answered.
    assert scores["constant"]["top1"].value == 0.5
    assert scores["model"]["top1"].interval == (1.0, 1.0)
    assert scores["constant"]["top1"].interval == (0.0, 1.0)


def test_windows_of_a_recording_are_one_video_and_padding_does_not_count() -> None:
    test = {"q/a": [(5, 1)] * 4 + [(1, 5)] + [(5, 1)] * 2, "q/b": [NEUTRAL, (5, 1), NEUTRAL]}
    labels = {"q/a": "wild", "q/b": "glad"}
    whole, windows = told(test, labels), told(test, labels, window_steps=3)
    # Lengths differ, so shorter ones are padded in front with zeros: of those the mean of q/a knows nothing.
    assert [video.answer for video in whole.labels["emotion"].videos] == ["glad", "wild"]
    assert {video.video: video for video in windows.labels["emotion"].videos} == {
        video.video: video for video in whole.labels["emotion"].videos
    }


def test_a_class_without_training_videos_is_left_out_and_named() -> None:
    data = Moods(
        {"p1/calm": [(0, 0)], "p1/glad": [(5, 0)], "q/a": [(2, 6)], "q/b": [(5, 0)]},
        {"p1/calm": "calm", "p1/glad": "glad", "q/a": "wild", "q/b": "glad"},
    )
    label = transfer_emotions(experiment(data, ["q"]), Counting()).labels["emotion"]
    assert label.without_template == ("wild",)
    assert "wild" not in {video.answer for video in label.videos}
    assert label.classes["wild"].recall == 0.0
    assert label.scores["model"]["top1"].value == 0.5


def test_test_videos_without_the_label_are_counted_and_do_not_count() -> None:
    found = told({"q/a": [(5, 1)], "q/b": [(5, 1)]}, {"q/a": "glad"})
    assert found.labels["emotion"].num_unlabelled == 1
    assert found.labels["emotion"].classes["glad"].num_clips == 1


def test_data_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="no test video has the label 'emotion'"):
        told({"q/a": [(5, 1)]}, {})
    data = Moods({**TRAINING, "q/a": [(5, 1)]}, {"q/a": "glad"})
    with pytest.raises(DataError, match="no training video has a label"):
        transfer_emotions(experiment(data, ["q"]), Counting())
    data.class_names = MappingProxyType({"action_unit": ("AU 12",)})
    with pytest.raises(
        DataError, match="should have clips with emotion or emotion_reported; its classes are of action"
    ):
        transfer_emotions(experiment(data, ["q"]), Counting())


def test_a_run_without_valence_and_arousal_is_refused_by_name() -> None:
    data = Moods(TRAINING, TRAINING_LABELS)
    other = Experiment(recipe_named("demo-plif"), data, Split(data.clips, (), ()))
    with pytest.raises(ConfigError, match="'demo-plif' answers action_unit"):
        transfer_emotions(other, Counting())


def test_the_result_survives_json() -> None:
    found = told({"q/a": [(5, 1)]}, {"q/a": "glad"})
    assert from_json(EmotionTransfer, to_json(found)) == found


def test_both_labels_of_nefer_are_told_under_its_own_split(miniature: Callable[[str], Path]) -> None:
    data = Nefer(miniature("nefer"))
    made = Experiment(recipe(), data, next(data.splits()))
    found = transfer_emotions(made, Counting())
    assert found.is_synthetic
    assert list(found.labels) == ["emotion", "emotion_reported"]
    intended, reported = found.labels["emotion"], found.labels["emotion_reported"]
    assert set(intended.without_template) == {"Disgust", "Contempt", "Fear"}
    assert {video.subject for video in intended.videos} == {"03", "07"}
    assert "None" in reported.classes
    assert "None" not in intended.classes
    assert found.num_training_videos == 12


def with_truth(clip: Clip, mood: Sequence[Mood]) -> Clip:
    truth = np.array(mood, np.float32) / 10
    times = np.arange(len(mood), dtype=np.int64) * STEP_US + STEP_US // 2
    labels = MappingProxyType({**clip.labels, "valence_arousal": truth})
    return replace(clip, labels=labels, label_t_us=times, over_time=frozenset({"valence_arousal"}))


def test_what_the_rule_makes_of_the_truth_stands_beside_where_the_truth_is_known() -> None:
    test = {"q/a": [NEUTRAL, NEUTRAL, (5, 1)], "q/b": [(0, 1), (1, 5), (0, 1)]}
    data = Moods({**TRAINING, **test}, {**TRAINING_LABELS, "q/a": "glad", "q/b": "wild"})
    data.clips = tuple(with_truth(clip, data.moods[clip.recording_id]) for clip in data.clips)
    blind = Counting()
    blind.gain.data.zero_()
    label: LabelTransfer = transfer_emotions(experiment(data, ["q"]), blind).labels["emotion"]
    assert list(label.scores) == ["model", "constant", "truth", "chance"]
    assert label.scores["truth"]["top1"].value == 1.0
    # Every template is at 0: the first class is answered throughout.
    assert label.scores["model"]["top1"].value == 0.0


def test_synthetic_emotions_are_filmed_as_the_training_set_was_with_other_people() -> None:
    data = recipe_named("valence-arousal-plif").data
    assert isinstance(data, FilmedFacesConfig)
    stand_in = emotion_faces(data, num_identities=3)
    source = stand_in.source
    assert isinstance(source, EmotionSetConfig)
    assert not isinstance(data.source, RecordedFolder)
    assert (source.davis, source.emulator, source.clip_ms) == (
        data.source.davis, data.source.emulator, data.source.clip_ms
    )  # fmt: skip
    assert source.seed != data.source.seed
    assert source.num_takes == 3 * 7
    assert replace(stand_in, source=data.source) == data
    assert stand_in.class_names["emotion"][0] == "anger"
    assert from_json(FilmedFacesConfig, to_json(stand_in)) == stand_in


def test_recordings_in_a_folder_have_no_synthetic_counterpart() -> None:
    with pytest.raises(ConfigError, match="holds recordings"):
        emotion_faces(FilmedFacesConfig(source=RecordedFolder(path="takes")))
