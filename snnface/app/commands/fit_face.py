"""`snnface fit-face RECORDING`"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from snnface.app.face_fitting import FaceFitting, FaceFittingConfig, Transfer, fit_face
from snnface.app.face_fitting_files import write_face_fitting
from snnface.app.face_source import open_face_source
from snnface.app.options import Maybe, console_for, parse, step_us_from_ms
from snnface.app.progress import counting_bar
from snnface.errors import ConfigError
from snnface.faces.fitting import FittingConfig

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """3DMM coefficients of the face in a recording, and labels of its event frames."""

    recording: tyro.conf.Positional[Path]
    """A video, a folder of pictures, an AEDAT4 file with frames, or a take folder (rgb/ and events)."""
    out: Maybe[Path] = None
    """Folder for the results; default: NAME-face."""
    events: Maybe[Path] = None
    """A recording of an event camera in the clock of the pictures, to be labelled; default: the recording's own."""
    landmarks: Maybe[Path] = None
    """The 68 points of each picture (.npz, .npy, .csv, .pts, .txt, a folder); default: they are found."""
    fps: Maybe[float] = None
    """Pictures a second, where they have no times."""
    face: Maybe[Path] = None
    """A face model, an .npz or a folder of blendshapes; default: the built-in face."""
    identity: Maybe[Path] = None
    """Identity components of that face, .npz or .mat; default: learned from people drawn from it."""
    expression: Maybe[Path] = None
    """Expression components of that face, .npz or .mat; default: likewise."""
    components: int = 32
    """How many expression components are learned."""
    step_ms: float = 33.0
    """Duration of an event frame in milliseconds."""
    transfer: Transfer = "nearest"
    """Labels of event frames from the nearest picture, interpolated, or event frames at the rate of the pictures."""
    fitting: FittingConfig = field(default_factory=FittingConfig)
    overwrite: bool = False
    """Replace the results in --out."""
    json: bool = False
    """Print the summary as JSON."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="fit-face")
    config = FaceFittingConfig(
        face=options.face,
        identity=options.identity,
        expression=options.expression,
        num_components=options.components,
        fitting=options.fitting,
        step_us=step_us_from_ms(options.step_ms),
        transfer=options.transfer,
    )
    source = open_face_source(options.recording, events=options.events, fps=options.fps)
    out = options.out or Path(f"{source.name}-face")
    if not options.overwrite and out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} holds files already. Choose another place, or add --overwrite to replace them.")
    with counting_bar(console_for(options.json), "pictures") as on_progress:
        fitting = fit_face(source, config, landmarks=options.landmarks, fps=options.fps, on_progress=on_progress)
    files = write_face_fitting(fitting, out)
    if options.json:
        print(json.dumps(fitting.values() | {"files": [str(file) for file in files]}, indent=2))
        return
    _print(fitting)
    for file in files:
        print(file)


def _print(fitting: FaceFitting) -> None:
    values = fitting.values()
    missing = values["num_missing"]
    rows = [
        ("pictures", f"{values['num_frames']:,}"),
        ("with a face", f"{values['num_valid']:,}; {missing:,} without one are masked"),
        ("components", f"{values['num_components']}"),
        (
            "reprojection error",
            f"{values['error_percent_mean']:.2f} % of the eye distance in the mean, "
            f"{values['error_percent_worst']:.2f} % in the worst picture",
        ),
    ]
    rows.append(("strongest expression", f"picture {values['apex_frame']}, drawn in shape.png and shape.gif"))
    if values["num_event_frames"] is None:
        rows.append(("event frames", "none: the recording has no events (see --events)"))
    else:
        labelled = f"{values['num_labelled']:,} of {values['num_event_frames']:,} labelled, {values['transfer']}"
        if not values["num_labelled"]:
            labelled += "; no picture of a face lies in the time of the events: do both have one clock?"
        rows.append(("event frames", labelled))
    table = Table(title=fitting.name, title_style="", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)
