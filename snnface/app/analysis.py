"""A real recording through the trained network: pictures, answers, spikes, and what to make of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
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
from hardware.report_parts import Agreement, ClipPicture, RecordingSummary, Table, clip_picture, raster_of
from hardware.resources import chip_fit
from hardware.target import LOIHI2, TARGETS
from snnface import __version__
from snnface.app.catalog import class_names_of, representation_of
from snnface.app.deployment import Prepared, added_comparisons, integer_counts, prepare
from snnface.app.pretrained import KNOWN_FACES
from snnface.app.recipes import Recipe
from snnface.app.reporting import NOT_COUNTED
from snnface.app.run import load_run
from snnface.errors import DataError
from snnface.events import EventStream, Resolution, TimeWindow, centre_square, crop, open_events
from snnface.faces.presence import KnownFaces, load_known_faces
from snnface.recording import Recording
from snnface.representations.histogram import ON_CHANNEL

__all__ = ["Analysis", "WindowAnswer", "analyse"]

MAX_PICTURES = 6
RATE_BIN_US = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class WindowAnswer:
    """One clip length of the recording.

    Attributes:
        answers, fixed_point_answers: votes per class, from the float network and from the chip's integers.
        face_distance: to the nearest known face; see `KnownFaces`.
    """

    window: TimeWindow
    num_events: int
    pictures: Float32[np.ndarray, "T C H W"]
    answers: np.ndarray
    fixed_point_answers: np.ndarray
    face_distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found.

    Attributes:
        shows_face: does any window look like a face that the model knows?
        windows: the answers, window by window; only the busiest keep their pictures.
        report: the page, ready to be written.
    """

    class_names: tuple[str, ...]
    shows_face: bool
    sentence: str
    summary: RecordingSummary
    windows: tuple[WindowAnswer, ...]
    report: Report


def analyse(path: Path, run: Path, *, resolution: Resolution | None = None, date: str) -> Analysis:
    """Run a recording through a trained spiking network, in float and in fixed point.

    The recording is cut into windows of the length of the training clips, read one after
    the other, so memory does not grow with its length. Of the sensor, the square in the
    middle is shown to the network: no face is looked for, but see `KnownFaces`.

    Args:
        path: a recording in a format that `snnface.events.open_events` reads.
        run: a run folder of a spiking network, with the layouts of known faces.
        resolution: size of the sensor, where the file does not state it.
        date: for the provenance.

    Raises:
        DatasetNotFoundError, DataError: if the file cannot be read or holds no event.
        CheckpointError: if the run is not a trained one.
    """
    recipe, model = load_run(run)
    faces = load_known_faces(run / KNOWN_FACES)
    prepared = prepare(model, target=LOIHI2)
    file = open_events(path, resolution=resolution)
    gathered = _Gathered(recipe, model, prepared, faces, path, file.resolution)
    window_us = recipe.data.clip_ms * 1000
    for index, events in enumerate(file.slices(window_us)):
        gathered.add(index, events, window_us)
    if not gathered.windows:
        raise DataError(f"{path} holds no events; there is nothing to analyse.")
    return gathered.finished(date)


class _Gathered:
    """What the windows add up to."""

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        prepared: Prepared,
        faces: KnownFaces,
        path: Path,
        resolution: Resolution,
    ) -> None:
        self.recipe, self.model, self.prepared, self.faces = recipe, model, prepared, faces
        self.path, self.resolution = path, resolution
        self.representation = representation_of(recipe)
        self.class_names = class_names_of(recipe)
        self.windows: list[WindowAnswer] = []
        self.busiest: list[WindowAnswer] = []
        self.rounding: list[tuple[SpikeComparison, ...]] = []
        self.operations: NetworkOperations | None = None
        self.rates: list[Int64[np.ndarray, "2 N"]] = []
        self.num_on, self.num_events, self.start_us, self.end_us = 0, 0, 0, 0
        self.shown: RunResult | None = None
        self._backend = FixedPointBackend()
        self._program = self._backend.compile(prepared.quantized.graph, prepared.target)

    def add(self, index: int, events: EventStream, window_us: int) -> None:
        """One window: statistics, then the network."""
        if index == 0:
            self.start_us = events.window.start_us
        window = TimeWindow(self.start_us + index * window_us, self.start_us + (index + 1) * window_us)
        self._count(events, window)
        recording = Recording(
            recording_id=self.path.name, subject="unknown", events=crop(events, centre_square(self.resolution))
        )
        pictures = self.representation(recording, window)
        counts = integer_counts(pictures[:, None], self.prepared.target)
        run = self._backend.run(self._program, counts)
        exact = simulate(self.prepared.graph, counts)
        operations = count_operations(self.prepared.quantized.graph, counts, run.spikes)
        self.operations = operations if self.operations is None else self.operations.combine(operations)
        self.rounding.append(compare_spikes(exact.spikes, run.spikes))
        with torch.inference_mode():
            answers = self.model(torch.from_numpy(pictures)[:, None])[self.recipe.task.target][0].numpy()
        answer = WindowAnswer(
            window=window,
            num_events=len(events),
            pictures=pictures,
            answers=answers,
            fixed_point_answers=run.answers[0],
            face_distance=self.faces.distance(torch.from_numpy(pictures)),
        )
        self._keep(answer, run)

    def _keep(self, answer: WindowAnswer, run: RunResult) -> None:
        """Pictures of the busiest windows only, so that a long recording stays small."""
        if self.shown is None or answer.num_events > max(kept.num_events for kept in self.busiest):
            self.shown = run
        self.busiest = sorted([*self.busiest, answer], key=lambda kept: -kept.num_events)[:MAX_PICTURES]
        self.windows.append(
            WindowAnswer(
                window=answer.window,
                num_events=answer.num_events,
                pictures=answer.pictures[:0],
                answers=answer.answers,
                fixed_point_answers=answer.fixed_point_answers,
                face_distance=answer.face_distance,
            )
        )

    def _count(self, events: EventStream, window: TimeWindow) -> None:
        edges = np.arange(window.start_us, window.end_us + 1, RATE_BIN_US)
        self.rates.append(
            np.stack([np.histogram(events.t_us[events.polarity == on], bins=edges)[0] for on in (True, False)])
        )
        self.num_events += len(events)
        self.num_on += int(np.count_nonzero(events.polarity))
        if not events.is_empty:
            self.end_us = events.window.end_us

    def finished(self, date: str) -> Analysis:
        nearest = min(window.face_distance for window in self.windows)
        shows_face = nearest <= self.faces.limit
        sentence = self._sentence(nearest, shows_face=shows_face)
        summary = self._summary()
        assert self.operations is not None
        assert self.shown is not None
        report = Report(
            title=f"Analysis of {self.path.name}",
            data=self.path.name,
            is_synthetic=False,
            verdict=(
                f"{summary.num_events:,} events in {summary.duration_s:.3f} s; "
                f"{'perhaps a face' if shows_face else 'no face that the model could know'}."
            ),
            notices=(
                sentence,
                f"The network ({self.recipe.name}) was trained on synthetic faces only; the middle square of the "
                "sensor is shown to it as it is. It answers whatever it is shown.",
            ),
            provenance={"model": self.recipe.name, "snnface": __version__, "torch": torch.__version__, "date": date},
            recording=summary,
            predictions=self._table(),
            clips=tuple(self._pictures()),
            raster=raster_of(self.shown.spikes, sample=0, clip_id="the busiest window"),
            operations=summarise_operations(self.operations, seed=self.recipe.seed),
            energy=energy_estimates(self.operations),
            agreement=(
                Agreement(
                    step="float graph → fixed point",
                    comparisons=added_comparisons(self.rounding),
                    note=f"{len(self.windows)} windows of this recording",
                ),
            ),
            quantisation=self.prepared.quantized.layers,
            chip_fits=tuple(chip_fit(self.prepared.quantized.graph, target) for target in TARGETS.values()),
            not_counted=NOT_COUNTED,
            warnings=self.prepared.quantized.warnings,
        )
        return Analysis(self.class_names, shows_face, sentence, summary, tuple(self.windows), report)

    def _sentence(self, nearest: float, *, shows_face: bool) -> str:
        measured = (
            f"{100 * nearest:.0f} % of its events lie elsewhere than in the nearest face that the model knows; "
            f"99 % of unseen synthetic faces stay below {100 * self.faces.limit:.0f} %"
        )
        if shows_face:
            return f"Parts of this recording may show a face ({measured}). No face detector has confirmed it."
        return f"This recording shows no face that the model could know ({measured}). Its answers below mean nothing."

    def _summary(self) -> RecordingSummary:
        seconds = RATE_BIN_US / 1e6
        rates = np.concatenate(self.rates, axis=1) / seconds
        used = max(1, -(-(self.end_us - self.start_us) // RATE_BIN_US))
        return RecordingSummary(
            name=self.path.name,
            sensor=str(self.resolution),
            num_events=self.num_events,
            duration_s=(self.end_us - self.start_us) / 1e6,
            on_fraction=self.num_on / self.num_events,
            num_triggers=None,
            num_frames=None,
            seconds=tuple(float(index * seconds) for index in range(min(used, rates.shape[1]))),
            on_rate=tuple(float(rate) for rate in rates[0, :used]),
            off_rate=tuple(float(rate) for rate in rates[1, :used]),
        )

    def _table(self) -> Table:
        rows = []
        for answer in self.windows:
            best = int(answer.answers.argmax())
            chip = int(answer.fixed_point_answers.argmax())
            rows.append(
                (
                    (answer.window.start_us - self.start_us) / 1e6,
                    answer.num_events,
                    f"{100 * answer.face_distance:.0f} %",
                    self.class_names[best],
                    round(float(answer.answers[best]), 3),
                    self.class_names[chip],
                )
            )
        return Table(
            title="Answers, window by window",
            columns=("start s", "events", "events elsewhere than in a face", "answer", "vote", "answer in fixed point"),
            rows=tuple(rows),
            note="An answer is only worth reading where the recording shows a face.",
        )

    def _pictures(self) -> Iterator[ClipPicture]:
        for answer in sorted(self.busiest, key=lambda kept: kept.window.start_us):
            start_s = (answer.window.start_us - self.start_us) / 1e6
            yield clip_picture(
                f"from {start_s:.2f} s",
                answer.pictures,
                answer.answers.astype(np.float64),
                self.class_names,
                on_channel=ON_CHANNEL,
            )
