"""A real recording through the trained network: pictures, answers, spikes, and what to make of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from hardware.counts.operation_summary import summarise_operations
from hardware.energy.models import energy_estimates
from hardware.mapping.resources import chip_fit
from hardware.report import Report
from hardware.report.parts import (
    Agreement,
    RecordingSummary,
    raster_of,
    recording_summary,
)
from hardware.target import TARGETS
from snnface import __version__
from snnface.app.analysed_windows import AnalysedWindow, AnalysedWindows
from snnface.app.answers import answer_names
from snnface.app.catalog import representation_of
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.framing import CameraRecording, Framing, found_framing, framing_of_landmarks
from snnface.app.published_faces import PublishedFacesConfig
from snnface.app.recipes import Recipe
from snnface.app.reporting import NOT_COUNTED
from snnface.app.run import KNOWN_FACES, load_run
from snnface.app.training_view import TrainingView
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, DataError
from snnface.events import Resolution
from snnface.faces.presence import load_known_faces
from snnface.spiking.neurons import SpikingNeuron

__all__ = ["Analysis", "analyse", "chosen_framing", "clip_length_us"]

MAX_WINDOWS = 100_000


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
    windows: tuple[AnalysedWindow, ...]
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
    the other. The network is shown the square
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
        ConfigError: if landmarks are given and not wanted, or have no times; if the run is of no spiking
            network, answers with neither action units nor valence and arousal, or was trained on clips that may
            differ in length.
        DatasetNotFoundError, DataError: if a file cannot be read, holds no event, or
            spans more than MAX_WINDOWS windows.
        CheckpointError: if the run is not a trained one.
        UnsupportedLayerError: if the network, or its input, has no form on the chip.
    """
    recipe, model = load_run(run)
    window_us = _window_us(recipe, model)
    faces = load_known_faces(run / KNOWN_FACES)
    recording = CameraRecording.open(path, resolution=resolution, recover=recover)
    framing = chosen_framing(
        recording, TrainingView.of(recipe), landmarks=landmarks, finds_face=finds_face, on_progress=on_progress
    )
    windows = AnalysedWindows(recipe, model, faces, recording.name, framing)
    for index, events in enumerate(recording.file.slices(window_us)):
        if index >= MAX_WINDOWS:
            raise DataError(
                f"{path} spans more than {MAX_WINDOWS * window_us / 3.6e9:.0f} hours, which is more than is analysed. "
                "A jump in its time stamps is the likely reason; cut the recording there."
            )
        if not events.is_empty:
            windows.add(index, events, window_us)
    if not windows.windows:
        raise DataError(f"{path} holds no events; there is nothing to analyse.")
    # A damaged packet is met on every pass, and told once.
    losses = tuple(dict.fromkeys((*recording.file.losses, *recording.lost)))
    assert windows.resolution is not None
    summary = recording_summary(windows.name, windows.statistics, sensor=windows.resolution, extras=recording.extras)
    return Analysis(
        shows_face=windows.shows_face,
        sentence=windows.sentence(),
        framing=framing,
        summary=summary,
        windows=tuple(windows.windows),
        losses=losses,
        report=_report(windows, summary, losses, date),
    )


def _window_us(recipe: Recipe, model: nn.Module) -> int:
    if not any(isinstance(module, SpikingNeuron) for module in model.modules()):
        raise ConfigError(
            f"{recipe.name} is no spiking network, and the page is about what spikes cost. Choose another run with "
            "--model, or add --stream for its running answers."
        )
    if recipe.task.target not in answer_names(recipe):
        raise ConfigError(
            f"action units, valence and arousal are what a recording is analysed for; {recipe.name} answers with "
            f"{recipe.task.target!r}. Choose another run with --model."
        )
    window_us = clip_length_us(recipe)
    if window_us is None:
        raise ConfigError(
            f"{recipe.name} was trained on whole takes of a folder, which may differ in length, so there is no window "
            "to judge. Add --stream for its running answers, or train it with --data.window-steps."
        )
    return window_us


def clip_length_us(recipe: Recipe) -> int | None:
    """Duration of the clips that a recipe trains on, in whole steps of its pictures; None: they may differ."""
    data, step_us = recipe.data, representation_of(recipe).step_us
    if not isinstance(data, SyntheticFacesConfig) and data.window_steps is not None:
        return data.window_steps * step_us
    takes = data.source if isinstance(data, FilmedFacesConfig) else data
    if isinstance(takes, RecordedFolder | PublishedFacesConfig):
        return None
    return max(1, takes.clip_ms * 1000 // step_us) * step_us


def chosen_framing(
    recording: CameraRecording,
    view: TrainingView,
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
        return framing_of_landmarks(recording, landmarks, view)
    if finds_face:
        return found_framing(recording, view, on_progress=on_progress)
    return Framing.middle("as was asked for")


def _report(windows: AnalysedWindows, summary: RecordingSummary, losses: tuple[str, ...], date: str) -> Report:
    assert windows.operations is not None
    return Report(
        title=f"Analysis of {windows.name}",
        data=windows.name,
        is_synthetic=False,
        verdict=f"{summary.num_events:,} events in {summary.duration_s:.3f} s; {windows.verdict()}.",
        notices=(
            windows.sentence(),
            windows.framing.sentence,
            f"{windows.recipe.name} was trained on {_trained_on(windows.recipe)}; it answers whatever it is shown.",
        ),
        provenance={"model": windows.recipe.name, "snnface": __version__, "torch": torch.__version__, "date": date},
        recording=summary,
        predictions=windows.table(),
        traces=tuple(windows.traces()),
        clips=tuple(windows.pictures()),
        raster=raster_of(windows.busiest[0].run.spikes, sample=0, clip_id="the busiest window"),
        operations=summarise_operations(windows.operations, seed=windows.recipe.seed),
        energy=energy_estimates(windows.operations),
        agreement=(
            Agreement(
                step="float graph → fixed point",
                comparisons=windows.rounding,
                note=f"every window with events of this recording ({len(windows.windows)})",
            ),
        ),
        quantisation=windows.prepared.quantized.layers,
        chip_fits=tuple(chip_fit(windows.prepared.quantized.graph, target) for target in TARGETS.values()),
        not_counted=NOT_COUNTED,
        warnings=tuple(f"The recording is damaged: {loss} were left out." for loss in losses),
    )


def _trained_on(recipe: Recipe) -> str:
    data = recipe.data
    if isinstance(data, PublishedFacesConfig):
        return f"a folder of the data set {data.dataset}"
    is_folder = isinstance(data, FilmedFacesConfig) and isinstance(data.source, RecordedFolder)
    return "recordings of a folder" if is_folder else "synthetic faces only"
