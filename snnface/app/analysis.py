"""A real recording through the trained network: pictures, answers, spikes, and what to make of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from conversion.parity import SpikeComparison, compare_spikes
from conversion.simulate import simulate
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.energy import energy_estimates
from hardware.operation_counts import NetworkOperations
from hardware.operation_summary import summarise_operations
from hardware.operations import count_operations
from hardware.report import Report
from hardware.report_parts import (
    Agreement,
    ClipPicture,
    RecordingSummary,
    Table,
    clip_picture,
    raster_of,
    recording_summary,
)
from hardware.resources import chip_fit
from hardware.target import LOIHI2, TARGETS
from snnface import __version__
from snnface.app.catalog import class_names_of, representation_of
from snnface.app.deployment import Prepared, added_comparisons, integer_counts, prepare
from snnface.app.framing import HOLD_US, CameraRecording, Framing, found_framing, framing_of_landmarks
from snnface.app.recipes import Recipe
from snnface.app.reporting import NOT_COUNTED
from snnface.app.run import KNOWN_FACES, load_run
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.events.readers.base import Extras
from snnface.events.statistics import EventStatistics
from snnface.faces.presence import KnownFaces, load_known_faces
from snnface.recording import Recording
from snnface.representations.histogram import ON_CHANNEL

__all__ = ["Analysis", "WindowAnswer", "analyse", "chosen_framing", "clip_length_us"]

MAX_PICTURES = 6
MAX_WINDOWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAnswer:
    """One clip length of the recording that holds events.

    Attributes:
        start_s: from the first event.
        answer, vote: the best class of the float network, and its share of the votes.
        fixed_point_answer: the best class on the chip.
        face_distance: to the nearest known face; see `KnownFaces`.
        has_face: was the face seen, in frames or landmarks, all through the window? None: the
            middle square is shown, and nobody knows.
        shows_face: is it as near to a known face as faces are to each other, and not without a face?
    """

    start_s: float
    num_events: int
    answer: str
    vote: float
    fixed_point_answer: str
    face_distance: float
    has_face: bool | None
    shows_face: bool


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found.

    Attributes:
        shows_face: does any window look like a face that the model knows?
        framing: what of the sensor was shown to the network.
        windows: window by window; those without events are left out.
        losses: what a recovering read left out, a phrase each.
        report: the page, ready to be written.
    """

    shows_face: bool
    sentence: str
    framing: Framing
    summary: RecordingSummary
    windows: tuple[WindowAnswer, ...]
    losses: tuple[str, ...]
    report: Report


def analyse(
    path: Path,
    run: Path,
    *,
    landmarks: Path | None = None,
    finds_face: bool = True,
    resolution: Resolution | None = None,
    recover: bool = False,
    date: str,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Analysis:
    """Run a recording through a trained spiking network, in float and in fixed point.

    The recording is cut into windows of the length of the training clips, read one after
    the other; pictures are kept of the busiest few only. The network is shown the square
    around the face, framed as in the training pictures, where the camera's frames or
    `landmarks` tell where it is; else the square in the middle of the sensor. `KnownFaces`
    judges either.

    Args:
        path: a recording in a format that `snnface.events.open_events` reads, or a take folder.
        run: a run folder of a spiking network.
        landmarks: a file of landmarks in the sensor's coordinates, see `framing_of_landmarks`.
        finds_face: look for the face in the frames; otherwise the middle square is shown.
        resolution: size of the sensor, where the file does not state it.
        recover: leave out what is damaged, and say what on the page, instead of raising.
        date: for the provenance.
        on_progress: called with (frames searched for the face, frames in all).

    Raises:
        ConfigError: if landmarks are given and not wanted, or have no times; if the run answers with other
            than classes, or was trained on clips that differ in length.
        DatasetNotFoundError, DataError: if a file cannot be read, holds no event, or
            spans more than MAX_WINDOWS windows.
        CheckpointError: if the run is not a trained one.
        UnsupportedLayerError: if the run's network is not a spiking one.
    """
    recipe, model = load_run(run)
    window_us = clip_length_us(recipe)
    if not class_names_of(recipe) or window_us is None:
        raise ConfigError(
            f"{recipe.name} should answer with a class for each clip of one length, which is what is judged window by "
            "window; it answers otherwise. Add --stream for its running answers, or choose another run with --model."
        )
    faces = load_known_faces(run / KNOWN_FACES)
    recording = CameraRecording.open(path, resolution=resolution, recover=recover)
    framing = chosen_framing(
        recording, recipe.data.resolution, landmarks=landmarks, finds_face=finds_face, on_progress=on_progress
    )
    gathered = _Gathered(recipe, model, faces, recording.name, framing)
    for index, events in enumerate(recording.file.slices(window_us)):
        if index >= MAX_WINDOWS:
            raise DataError(
                f"{path} spans more than {MAX_WINDOWS * window_us / 3.6e9:.0f} hours, which is more than is analysed. "
                "A jump in its time stamps is the likely reason; cut the recording there."
            )
        if not events.is_empty:
            gathered.add(index, events, window_us)
    if not gathered.windows:
        raise DataError(f"{path} holds no events; there is nothing to analyse.")
    # A damaged packet is met on every pass, and told once.
    losses = tuple(dict.fromkeys((*recording.file.losses, *recording.lost)))
    return gathered.finished(recording.extras, losses, date)


def clip_length_us(recipe: Recipe) -> int | None:
    """Duration of the clips that a recipe trains on; None: they differ."""
    if isinstance(recipe.data, SyntheticFacesConfig):
        return recipe.data.clip_ms * 1000
    steps = recipe.data.window_steps
    return None if steps is None else steps * representation_of(recipe).step_us


def chosen_framing(
    recording: CameraRecording,
    picture: Resolution,
    *,
    landmarks: Path | None,
    finds_face: bool,
    on_progress: Callable[[int, int | None], None] | None,
) -> Framing:
    """Where the network looks: around the landmarks, else where the frames show a face, else in the middle.

    Raises:
        ConfigError: if landmarks are given and not wanted, or have no times.
        DatasetNotFoundError, DataError: if landmarks or frames cannot be read.
    """
    if landmarks is not None and not finds_face:
        raise ConfigError(f"{landmarks} tells where the face is, but the middle square is asked for; choose one.")
    if landmarks is not None:
        return framing_of_landmarks(recording, landmarks, picture)
    if finds_face:
        return found_framing(recording, picture, on_progress=on_progress)
    return Framing.middle("as was asked for")


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A window whose pictures are kept."""

    num_events: int
    start_s: float
    pictures: Float32[np.ndarray, "T C H W"]
    answers: np.ndarray
    run: RunResult


class _Gathered:
    """What the windows add up to."""

    def __init__(self, recipe: Recipe, model: nn.Module, faces: KnownFaces, name: str, framing: Framing) -> None:
        self.recipe, self.model, self.faces, self.name, self.framing = recipe, model, faces, name, framing
        self.prepared: Prepared = prepare(model, recipe, target=LOIHI2)
        self.representation = representation_of(recipe)
        self.class_names = class_names_of(recipe)
        self.statistics = EventStatistics()
        self.windows: list[WindowAnswer] = []
        self.busiest: list[_Shown] = []
        self.rounding: tuple[SpikeComparison, ...] = ()
        self.operations: NetworkOperations | None = None
        self._resolution: Resolution | None = None
        self._backend = FixedPointBackend()
        self._program = self._backend.compile(self.prepared.quantized.graph, self.prepared.target)

    def add(self, index: int, events: EventStream, window_us: int) -> None:
        """One window: statistics, then the network."""
        self.statistics.add(events)
        self._resolution = events.resolution
        start_us = self.statistics.start_us + index * window_us
        face = self.framing.framed(events, self.recipe.data.resolution)
        recording = Recording(recording_id=self.name, subject="unknown", events=face)
        pictures = self.representation(recording, TimeWindow(start_us, start_us + window_us))
        counts = integer_counts(pictures[:, None], self.prepared.target)
        run = self._backend.run(self._program, counts)
        self._compare(counts, run)
        with torch.inference_mode():
            answers = self.model(torch.from_numpy(pictures)[:, None])[self.recipe.task.target][0].numpy()
        distance = self.faces.distance(torch.from_numpy(pictures))
        has_face = self.framing.shows_face(np.asarray(events.t_us))
        best = int(answers.argmax())
        self.windows.append(
            WindowAnswer(
                start_s=index * window_us / 1e6,
                num_events=len(events),
                answer=self.class_names[best],
                vote=float(answers[best]),
                fixed_point_answer=self.class_names[int(run.answers[0].argmax())],
                face_distance=distance,
                has_face=has_face,
                shows_face=distance <= self.faces.limit and has_face is not False,
            )
        )
        shown = _Shown(len(events), index * window_us / 1e6, pictures, answers, run)
        self.busiest = sorted([*self.busiest, shown], key=lambda kept: -kept.num_events)[:MAX_PICTURES]

    def _compare(self, counts: np.ndarray, run: RunResult) -> None:
        exact = simulate(self.prepared.graph, counts)
        operations = count_operations(self.prepared.quantized.graph, counts, run.spikes)
        self.operations = operations if self.operations is None else self.operations.combine(operations)
        self.rounding = added_comparisons([self.rounding, compare_spikes(exact.spikes, run.spikes)])

    def finished(self, extras: Extras, losses: tuple[str, ...], date: str) -> Analysis:
        shows_face = any(window.shows_face for window in self.windows)
        sentence = self._sentence()
        assert self.operations is not None
        assert self._resolution is not None
        summary = recording_summary(self.name, self.statistics, sensor=self._resolution, extras=extras)
        report = Report(
            title=f"Analysis of {self.name}",
            data=self.name,
            is_synthetic=False,
            verdict=f"{summary.num_events:,} events in {summary.duration_s:.3f} s; {self._verdict(shows_face)}.",
            notices=(
                sentence,
                self.framing.sentence,
                f"{self.recipe.name} was trained on synthetic faces only; it answers whatever it is shown.",
            ),
            provenance={"model": self.recipe.name, "snnface": __version__, "torch": torch.__version__, "date": date},
            recording=summary,
            predictions=self._table(),
            clips=tuple(self._pictures()),
            raster=raster_of(self.busiest[0].run.spikes, sample=0, clip_id="the busiest window"),
            operations=summarise_operations(self.operations, seed=self.recipe.seed),
            energy=energy_estimates(self.operations),
            agreement=(
                Agreement(
                    step="float graph → fixed point",
                    comparisons=self.rounding,
                    note=f"every window with events of this recording ({len(self.windows)})",
                ),
            ),
            quantisation=self.prepared.quantized.layers,
            chip_fits=tuple(chip_fit(self.prepared.quantized.graph, target) for target in TARGETS.values()),
            not_counted=NOT_COUNTED,
            warnings=tuple(f"The recording is damaged: {loss} were left out." for loss in losses),
        )
        return Analysis(shows_face, sentence, self.framing, summary, tuple(self.windows), losses, report)

    def _verdict(self, shows_face: bool) -> str:
        if self.framing.squares is None:
            return "perhaps a face" if shows_face else "no face that the model could know"
        return "a face" if shows_face else "a face, but it moves unlike those that the model knows"

    def _sentence(self) -> str:
        # Where the face was followed, only windows with it count.
        judged = [window for window in self.windows if window.has_face is not False]
        unseen = len(self.windows) - len(judged)
        unsure = (
            f" In {unseen} of {len(self.windows)} windows there are events more than {HOLD_US / 1e6:g} s from any "
            "frame with the face; these windows are marked and do not count."
            if unseen
            else ""
        )
        if not judged:
            return f"No window of this recording has the face all through; the answers below mean nothing.{unsure}"
        is_followed = self.framing.squares is not None
        nearest = 100 * min(window.face_distance for window in judged)
        limit = f"faces held out of training stay below {100 * self.faces.limit:.0f} % (99th percentile)"
        similar = sum(window.shows_face for window in judged)
        if similar:
            may = "show a face as the model knows them" if is_followed else "may show a face"
            unconfirmed = "" if is_followed else " No face detector has confirmed it."
            return (
                f"{similar} of {len(self.windows)} windows {may}: in the nearest, {nearest:.0f} % of the events lie "
                f"elsewhere than in a face that the model knows; {limit}.{unconfirmed}{unsure}"
            )
        unknown = (
            "The face moves unlike any that the model knows"
            if is_followed
            else "This recording shows no face that the model could know"
        )
        return (
            f"{unknown}: in every window at least {nearest:.0f} % of the events lie elsewhere than in the nearest "
            f"known face; {limit}. The answers below mean nothing.{unsure}"
        )

    def _table(self) -> Table:
        is_followed = self.framing.squares is not None
        seen = ("face seen",) if is_followed else ()
        return Table(
            title="Answers, window by window",
            columns=(
                "start s",
                "events",
                *seen,
                "events elsewhere than in a face",
                "answer",
                "vote",
                "answer in fixed point",
            ),
            rows=tuple(
                (
                    window.start_s,
                    window.num_events,
                    *(("yes" if window.has_face else "no",) if is_followed else ()),
                    f"{100 * window.face_distance:.0f} %",
                    window.answer,
                    round(window.vote, 3),
                    window.fixed_point_answer,
                )
                for window in self.windows
            ),
            note="An answer is only worth reading where there is a face. Windows without events are left out.",
        )

    def _pictures(self) -> Iterator[ClipPicture]:
        for shown in sorted(self.busiest, key=lambda kept: kept.start_s):
            yield clip_picture(
                f"from {shown.start_s:.2f} s",
                shown.pictures,
                shown.answers.astype(np.float64),
                self.class_names,
                on_channel=ON_CHANNEL,
            )
