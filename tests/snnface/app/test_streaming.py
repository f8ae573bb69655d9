"""`snnface analyse --stream`: frame by frame the answers of whole recordings, and memory that does not grow."""

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from ann_baselines.c3d import C3dConfig
from ann_baselines.frame_cnn import FrameCnnConfig
from ann_baselines.per_frame import LstmConfig, PerFrameConfig
from snnface.app.analysis import analyse, clip_length_us
from snnface.app.answers import answer_names, in_words
from snnface.app.catalog import class_names_of, model_of, representation_of
from snnface.app.cli import main
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.framing import CameraRecording, Framing
from snnface.app.pretrained import PRETRAINED
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.run import KNOWN_FACES
from snnface.app.streaming import FaceStream, Latencies, StreamedFrame, StreamSummary
from snnface.config import to_json
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, SensorData, TimeWindow, write_events
from snnface.events.readers import EventFile
from snnface.events.readers.base import Extras
from snnface.faces.presence import GRID, KnownFaces, save_known_faces
from snnface.models.heads import MlpHeadConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.recording import Recording
from snnface.representations import PlainFramesConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.tasks.valence_arousal import DIMENSIONS, ValenceArousalTaskConfig

SENSOR = Resolution(height=32, width=48)
STEP_US = 33_000


def random_events(num_events: int, duration_us: int, seed: int = 0) -> EventStream:
    generator = np.random.default_rng(seed)
    return EventStream.from_arrays(
        x=generator.integers(0, SENSOR.width, num_events),
        y=generator.integers(0, SENSOR.height, num_events),
        t_us=np.sort(generator.integers(0, duration_us, num_events)),
        polarity=generator.integers(0, 2, num_events),
        resolution=SENSOR,
    )


class Endless(EventFile):
    """A recording that is made while it is read: as long as asked for, and nowhere kept."""

    def __init__(self, num_frames: int) -> None:
        super().__init__(Path("endless"), SENSOR)
        self._num_frames = num_frames

    def chunks(self) -> Iterator[EventStream]:
        for number in range(self._num_frames):
            events = random_events(200, STEP_US, seed=number)
            times = events.t_us + number * STEP_US
            yield EventStream.of_checked(events.x, events.y, times, events.polarity, SENSOR)

    def read(self) -> SensorData:
        return SensorData(events=EventStream.joined(list(self.chunks()), SENSOR))


def opened(file: EventFile) -> CameraRecording:
    return CameraRecording(name=file.path.name, file=file, extras=Extras(), frames=lambda: iter(()))


def small_recipe(**changes: object) -> Recipe:
    demo = recipe_named("demo-plif")
    encoder = ConvSnnConfig(channels=(4, 4), features=(16, 8))
    return replace(demo, **({"encoder": encoder, "data": replace(demo.data, clip_ms=594)} | changes))


def streamed(recipe: Recipe, file: EventFile) -> FaceStream:
    torch.manual_seed(1)
    model = model_of(recipe).eval()
    with torch.no_grad():
        for layer in (*model.encoder.blocks, *model.encoder.layers):
            # So that all layers fire.
            (layer.conv if hasattr(layer, "conv") else layer.linear).weight.mul_(4)
    return FaceStream(recipe, model, opened(file), Framing.middle("as was asked for"))


def pictures_of(stream: FaceStream, first: int, last: int) -> torch.Tensor:
    """The pictures [T, 1, C, H, W] of frames first to last - 1, of the whole recording at once."""
    events = stream.recording.file.read().events
    begin_us = int(events.t_us[0])
    window = TimeWindow(begin_us + first * STEP_US, begin_us + last * STEP_US)
    face = stream.framing.framed(events, stream.recipe.data.resolution)
    recording = Recording(recording_id="r", subject="s", events=face)
    return torch.from_numpy(representation_of(stream.recipe)(recording, window))[:, None]


def test_at_the_end_of_each_clip_the_answer_is_that_of_the_whole_analysis(tmp_path: Path) -> None:
    path = tmp_path / "random.h5"
    write_events(random_events(30_000, 1_400_000), path)
    windows = analyse(path, PRETRAINED, finds_face=False, date="2000-01-01").windows
    stream = FaceStream.open(path, PRETRAINED, finds_face=False)
    ends = [frame for frame in stream.frames() if frame.ends_clip]
    assert len(ends) == 2
    for frame, window in zip(ends, windows, strict=False):
        assert in_words(frame.answers, answer_names(stream.recipe)) == window.answer
        assert list(window.values.values()) == pytest.approx(frame.answers["action_unit"].tolist(), abs=1e-6)


def test_every_frame_has_the_answer_to_the_clip_so_far() -> None:
    stream = streamed(small_recipe(), Endless(40))
    frames = list(stream.frames())
    assert [number for number, frame in enumerate(frames) if frame.ends_clip] == [17, 35]
    assert np.ptp([frame.answers["action_unit"] for frame in frames]) > 0
    for number in (0, 9, 17, 18, 39):
        with torch.inference_mode():
            whole = stream.model(pictures_of(stream, number - number % 18, number + 1))["action_unit"][0]
        np.testing.assert_allclose(frames[number].answers["action_unit"], whole, atol=1e-6)


def test_a_network_that_answers_frame_by_frame_goes_on_from_clip_to_clip() -> None:
    recipe = small_recipe(temporal=LeakyReadoutConfig(tau=3.0), head=MlpHeadConfig(), task=ValenceArousalTaskConfig())
    stream = streamed(recipe, Endless(12))
    assert stream.clip_frames is None
    frames = list(stream.frames())
    assert not any(frame.ends_clip for frame in frames)
    with torch.inference_mode():
        (whole,) = stream.model(pictures_of(stream, 0, 12)).values()
    found = np.stack([next(iter(frame.answers.values())) for frame in frames])
    assert found.shape == (12, len(DIMENSIONS))
    np.testing.assert_allclose(found, whole[:, 0], atol=1e-6)


def live_bytes() -> int:
    """Bytes of all tensors and arrays that are held."""
    gc.collect()
    held = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


def test_what_is_kept_does_not_grow_with_the_recording() -> None:
    stream = streamed(small_recipe(temporal=LeakyReadoutConfig()), Endless(150))
    summary, held = StreamSummary(), {}
    for number, frame in enumerate(stream.frames()):
        summary.add(frame)
        if number in (20, 149):
            held[number] = live_bytes()
    assert summary.num_frames == 150
    assert summary.num_events == 150 * 200
    assert held[149] == held[20] > 0


def test_a_gap_without_events_has_its_frames_too(tmp_path: Path) -> None:
    events = random_events(500, STEP_US)
    late = EventStream.of_checked(events.x, events.y, events.t_us + 10 * STEP_US, events.polarity, SENSOR)
    path = tmp_path / "gap.h5"
    write_events(EventStream.joined([events, late], SENSOR), path)
    frames = list(FaceStream.open(path, PRETRAINED, finds_face=False).frames())
    counts = [frame.num_events for frame in frames]
    assert (counts[0], sum(counts[1:10]), sum(counts[10:])) == (500, 0, 500)


@given(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=60), st.floats(0.0, 1.0))
def test_a_quantile_is_right_to_one_percent(seconds: list[float], share: float) -> None:
    latencies = Latencies()
    for value in seconds:
        latencies.add(value)
    exact = float(np.quantile(seconds, share, method="inverted_cdf"))
    assert latencies.quantile(share) == pytest.approx(exact, rel=0.0101)
    assert latencies.max == max(seconds)


def test_no_time_at_all_and_hours_are_counted_too() -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) == 0.0
    latencies.add(0.0)
    latencies.add(1e6)
    assert latencies.quantile(0.0) < 1e-6
    assert latencies.max == 1e6


def test_the_command_prints_answers_latencies_and_the_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "random.h5"
    write_events(random_events(10_000, 900_000), path)
    assert main(["analyse", str(path), "--stream", "--no-face-detection"]) == 0
    shown = capsys.readouterr().out
    for text in ("frames of 33 ms", "0.660 s", "the last answer, after 28 frames: AU", "95 %", "kernel: "):
        assert text in shown
    assert not (tmp_path / "runs").exists()


def test_for_machines_each_line_is_an_object_and_the_last_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "random.h5"
    write_events(random_events(10_000, 1_400_000), path)
    assert main(["analyse", str(path), "--stream", "--json"]) == 0
    *frames, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [frame["end_s"] for frame in frames] == pytest.approx([0.66, 1.32])
    assert summary["num_frames"] == 43
    assert summary["num_events"] == 10_000
    assert set(summary["milliseconds"]["latency"]) == {"median", "95 %", "largest"}
    assert set(summary["last"]["answers"]["action_unit"]) == set(class_names_of(recipe_named("demo-plif")))
    assert summary["kernels"]["ran"]


def test_the_whole_analysis_prints_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "random.h5"
    write_events(random_events(10_000, 900_000), path)
    page = tmp_path / "page.html"
    assert main(["analyse", str(path), "--json", "--out", str(page)]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["num_events"] == 10_000
    assert [window["start_s"] for window in values["windows"]] == [0.0, 0.66]
    assert values["page"] == str(page)
    assert page.is_file()


def test_a_stream_writes_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", "x.raw", "--stream", "--out", str(tmp_path / "page.html")]) == 1
    assert "a stream writes no page; leave out --out" in capsys.readouterr().err


def test_a_recording_without_events_says_so() -> None:
    with pytest.raises(DataError, match="endless holds no events"):
        list(streamed(small_recipe(), Endless(0)).frames())


def test_what_cannot_run_frame_by_frame_is_refused_by_name() -> None:
    clips = replace(recipe_named("demo-c3d"), encoder=C3dConfig(channels=((4,),)))
    with pytest.raises(ConfigError, match=r"demo-c3d looks at whole clips \(C3d\), so it cannot be run on a stream"):
        FaceStream(clips, model_of(clips), opened(Endless(3)), Framing.middle("as was asked for"))
    on_frames = small_recipe(representation=PlainFramesConfig(resolution=Resolution(height=32, width=32)))
    with pytest.raises(ConfigError, match="demo-plif was trained on frames, not on events"):
        streamed(on_frames, Endless(3))


def test_a_network_that_needs_a_picture_to_start_from_is_refused() -> None:
    recipe = recipe_named("reconstruction-plif")
    with pytest.raises(ConfigError, match=r"reconstruction-plif needs more than events .* choose another run"):
        FaceStream(recipe, model_of(recipe), opened(Endless(3)), Framing.middle("as was asked for"))


def written_run(folder: Path, recipe: Recipe) -> Path:
    """A run folder as `analyse` reads it, with weights that nobody trained."""
    stream = streamed(recipe, Endless(3))
    folder.mkdir()
    (folder / "recipe.json").write_text(to_json(recipe))
    save_file(stream.model.state_dict(), folder / "model.safetensors")
    faces = KnownFaces(torch.full((1, GRID**2), 1 / GRID**2), limit=0.5)
    save_known_faces(faces, folder / KNOWN_FACES)
    return folder


def affect_recipe(**changes: object) -> Recipe:
    return small_recipe(
        temporal=LeakyReadoutConfig(tau=3.0), head=MlpHeadConfig(), task=ValenceArousalTaskConfig(), **changes
    )


def test_valence_and_arousal_are_analysed_window_by_window(tmp_path: Path) -> None:
    run, path = written_run(tmp_path / "run", affect_recipe()), tmp_path / "random.h5"
    write_events(random_events(20_000, 900_000), path)
    analysis = analyse(path, run, date="2000-01-01")
    assert [window.start_s for window in analysis.windows] == [0.0, 0.594]
    stream = FaceStream.open(path, run)
    with torch.inference_mode():
        (steps,) = stream.model(pictures_of(stream, 0, 18)).values()
    first = analysis.windows[0]
    assert first.values == pytest.approx(dict(zip(DIMENSIONS, steps[:, 0].mean(0).tolist(), strict=True)), abs=1e-6)
    assert first.answer.startswith(f"valence {first.values['valence']:+.3f}, arousal ")
    valence, arousal = analysis.report.traces
    assert (valence.title, arousal.title) == DIMENSIONS
    assert valence.series["answer"][:18] == pytest.approx(steps[:, 0, 0].tolist(), abs=1e-6)
    assert len(valence.series["answer in fixed point"]) == len(valence.seconds) == 36
    # Step k ends k frames after its window begins.
    assert valence.seconds[:2] == pytest.approx([0.033, 0.066])
    assert valence.seconds[18] == pytest.approx(0.594 + 0.033)


def test_a_window_is_as_long_as_the_clips_of_training() -> None:
    lengths = {name: clip_length_us(recipe_named(name)) for name in ("demo-plif", "cross-modal-plif")}
    assert lengths == {"demo-plif": 660_000, "cross-modal-plif": 2_772_000}
    recipe = recipe_named("reconstruction-plif")
    assert clip_length_us(recipe) == 10 * STEP_US
    assert isinstance(recipe.data, FilmedFacesConfig)
    of_folder = replace(recipe.data, source=RecordedFolder(path="somewhere"))
    assert clip_length_us(replace(recipe, data=of_folder)) == 10 * STEP_US
    assert clip_length_us(replace(recipe, data=replace(of_folder, window_steps=None))) is None


def test_a_run_without_a_window_to_judge_is_refused(tmp_path: Path) -> None:
    recipe = affect_recipe(data=FilmedFacesConfig(source=RecordedFolder(path="somewhere")))
    run = written_run(tmp_path / "run", recipe)
    with pytest.raises(ConfigError, match=r"no window to judge\. Add --stream .* with --data\.window-steps"):
        analyse(tmp_path / "no.h5", run, date="2000-01-01")


def test_a_run_whose_answers_say_nothing_alone_is_refused(tmp_path: Path) -> None:
    data = FilmedFacesConfig(source=RecordedFolder(path="somewhere"), window_steps=9, num_coefficients=4)
    recipe = small_recipe(data=data, temporal="every", head=MlpHeadConfig(), task=FaceShapeTaskConfig())
    with pytest.raises(ConfigError, match=r"demo-plif answers with 'face_shape'\. Choose another run"):
        analyse(tmp_path / "no.h5", written_run(tmp_path / "run", recipe), date="2000-01-01")


def test_what_does_not_spike_has_no_page_but_a_stream(tmp_path: Path) -> None:
    recipe = affect_recipe()
    frame = FrameCnnConfig(channels=(4,), features=8)
    recipe = replace(recipe, encoder=PerFrameConfig(frame=frame, lstm=LstmConfig(hidden=4)))
    run, path = tmp_path / "run", tmp_path / "random.h5"
    run.mkdir()
    (run / "recipe.json").write_text(to_json(recipe))
    save_file(model_of(recipe).state_dict(), run / "model.safetensors")
    write_events(random_events(500, 100_000), path)
    with pytest.raises(ConfigError, match=r"demo-plif is no spiking network.* or add --stream"):
        analyse(path, run, date="2000-01-01")
    frames = list(FaceStream.open(path, run).frames())
    assert [frame.answers["valence_arousal"].shape for frame in frames] == [(2,)] * 4


def test_a_frame_is_answered_on_one_thread_and_the_rest_of_the_program_keeps_its_own() -> None:
    before, seen = torch.get_num_threads(), []
    stream = streamed(small_recipe(), Endless(2))
    torch.set_num_threads(2)
    advance = stream.model.encoder.advance

    def watched(*arguments: object) -> object:
        seen.append(torch.get_num_threads())
        return advance(*arguments)

    stream.model.encoder.advance = watched
    list(stream.frames())
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_other_numbers_than_classes_are_told_by_the_largest() -> None:
    answers = {
        "valence_arousal": np.array([0.25, -0.5], np.float32),
        "face_shape": np.array([0.1, -0.7, 0.3], np.float32),
    }
    words = in_words(answers, {"valence_arousal": DIMENSIONS})
    assert words == "valence +0.250, arousal -0.500, face_shape: number 1 of 3 is -0.700"
    assert in_words({}, {}) == "no picture yet"


def test_a_frame_counts_from_its_last_event_to_the_answer() -> None:
    frame = StreamedFrame(
        end_s=1.0, num_events=3, answers={}, ends_clip=False, seconds={"read": 5.0, "picture": 0.25, "answer": 0.5}
    )
    assert frame.latency_s == 0.75
