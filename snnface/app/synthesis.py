"""A set of synthetic recordings: many jobs, one a take."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snnface.app.claim import claim
from snnface.config import to_json
from snnface.datasets.recorded.clip_table import CLIP_TABLE, clip_table_text
from snnface.datasets.recorded.take_folder import SET_FILE
from snnface.datasets.synthesis.presets import SynthesisConfig
from snnface.datasets.synthesis.set_face import SetFace
from snnface.datasets.synthesis.take import clip_row, takes_of, write_take
from snnface.datasets.synthetic import GENERATOR_VERSION
from snnface.files import atomic_target, write_text
from snnface.jobs import Job, JobsOutcome, run_jobs

__all__ = ["SetEstimate", "estimate", "synthesise"]


# Measured on one core: seconds of a rendered frame, and of each million of its pixels; bytes of each million.
FRAME_S, MEGAPIXEL_S = 2.5e-3, 0.028
PICTURE_MEGAPIXEL_S = 0.12
EVENT_BYTES, PICTURE_BYTES = {"davis": 2.4e4, "evk4": 8e3}, {"davis_frames": 4.5e5, "rgb": 2.7e5}
TRUTH_BYTES = 1e5


@dataclass(frozen=True, slots=True)
class SetEstimate:
    """What a set will take, to within a factor of two."""

    num_takes: int
    core_seconds: float
    num_bytes: float


def estimate(config: SynthesisConfig) -> SetEstimate:
    """How long a set takes on one core, and how much room."""
    num_rendered = config.clip_ms / 1000 * config.scene.render_hz
    num_pictures = config.clip_ms / 1000 * config.fps
    megapixels = {
        name: size.num_pixels / 1e6
        for name, size in (
            ("davis", config.davis),
            ("davis_frames", config.davis),
            ("evk4", config.evk4),
            ("rgb", config.rgb),
        )
    }
    seconds = num_bytes = 0.0
    for identity in range(config.num_identities):
        num_bytes += TRUTH_BYTES
        for camera in config.cameras_of(identity):
            size = megapixels[camera]
            if camera in EVENT_BYTES:
                seconds += num_rendered * (FRAME_S + MEGAPIXEL_S * size)
                num_bytes += num_rendered * EVENT_BYTES[camera] * size
            else:
                seconds += num_pictures * (FRAME_S + PICTURE_MEGAPIXEL_S * size)
                num_bytes += num_pictures * PICTURE_BYTES[camera] * size
    takes_each = config.num_takes // config.num_identities
    return SetEstimate(config.num_takes, seconds * takes_each, num_bytes * takes_each)


def synthesise(
    out: Path,
    config: SynthesisConfig,
    *,
    face_path: Path | None = None,
    scheduler: str | None = None,
    num_workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> JobsOutcome:
    """Film every take of a set into `out`, on all cores or a cluster; `RecordedFaces` reads it.

    The same settings give the same bytes in every file, whatever the number of workers. A run
    that was stopped or killed at any moment goes on when the same is called again. `clips.csv`
    is written last: a folder without it is not complete.

    Args:
        face_path: the people's face model, as `open_face` reads it; None: the built-in face.
        scheduler, num_workers, on_progress: as `run_jobs`.

    Raises:
        ConfigError: if `out` holds other things, or a set with other settings or of another face; if the face
            cannot show what people are asked for; and as `run_jobs`.
        DataError: if the file of the face is missing or damaged.
        SnnfaceError: if takes could not be written; names them. The others are kept.
    """
    out = out.resolve()
    face = None if face_path is None else SetFace.opened(face_path.resolve(), config)
    claim(out, SET_FILE, _settings(config, face), what="a set")
    _remove_leftovers(out)
    takes = takes_of(config, out, None if face is None else face.path)
    jobs = [Job(take.recording_id, (take.folder.path,), take) for take in takes]
    outcome = run_jobs(jobs, write_take, scheduler=scheduler, num_workers=num_workers, on_progress=on_progress)
    outcome.require_all()
    write_text(out / CLIP_TABLE, clip_table_text([clip_row(take) for take in takes]))
    return outcome


def _settings(config: SynthesisConfig, face: SetFace | None) -> str:
    """What shapes the recordings, as JSON."""
    settings = {
        "synthetic": True,
        "name": config.name,
        "generator_version": GENERATOR_VERSION,
        "face_model": "built-in" if face is None else {"name": face.name, "sha256": face.sha256},
        "settings": json.loads(to_json(config)),
    }
    return json.dumps(settings, indent=2) + "\n"


def _remove_leftovers(out: Path) -> None:
    """Remove what a run that was killed while it wrote the tables left of them."""
    for entry in out.iterdir():
        if atomic_target(entry) in (out / SET_FILE, out / CLIP_TABLE):
            entry.unlink(missing_ok=True)
