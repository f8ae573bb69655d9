"""Which published data set a recipe learns, where it lies and what of it a clip is; and that set, opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from snnface.datasets.layout.tree import OnMissing
from snnface.datasets.published.afew_va import AfewVa
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.datasets.published.facemorphic_takes import NUM_COEFFICIENTS
from snnface.datasets.published.loaders import LOADERS
from snnface.datasets.published.nefer import Nefer
from snnface.errors import ConfigError
from snnface.faces.detection.face_crop import FaceCrop

__all__ = ["VIDEO_FPS", "PublishedFacesConfig", "PublishedName", "frame_rate", "opened_set"]

PublishedName = Literal["afew-va", "casme2", "ck-plus", "facemorphic", "nefer", "samm", "vetex"]
"""Data sets with labels that a recipe can learn; recordings in the project's own layout are `RecordedFolder`s."""

VIDEO_FPS: Mapping[str, float] = {"afew-va": 25.0, "casme2": 200.0, "ck-plus": 30.0, "samm": 200.0}
"""Videos, of which events are emulated, and the frames a second that their loaders take for them."""

# Sets whose loader is told the rate.
RATE_IS_OPEN = ("afew-va", "ck-plus", "nefer")


@dataclass(frozen=True, kw_only=True)
class PublishedFacesConfig:
    """Which data set, where it lies, and what of it a clip is.

    Attributes:
        dataset: its name; the folder has the layout that the authors published.
        path: its folder.
        shows: what recordings hold.
        crop: what is shown of the face, placed by the set's own 68 points (AFEW-VA has them); None: the largest square
            in the middle of the sensor, as FACEMORPHIC is cut by its authors.
        window_steps: clips are cut into windows of so many steps of the pictures, the rest left out; None: clips are
            whole.
        max_steps: clips hold at most so many steps from their start on, and shorter ones are padded in front to
            exactly so many; None: padded to the longest.
        num_coefficients: how many coefficients of the face's expression every step is labelled with (`alpha`), of
            FACEMORPHIC; 0: none.
        alpha_from: "file": the published ones, 32 a frame; "landmarks": fitted to the published 68 points;
            "pictures": fitted to points that are found in the RGB frames.
        allow_pickle: read what is published as pickles ("file", "landmarks"), through a reader that takes plain
            values and arrays only.
        fps: frames a second, where the set does not tell; None: as its loader has it.
        on_missing: what becomes of clips whose files are not there, or cannot be used.
        events: a folder that `snnface emulate --dataset PATH` wrote, of a set of videos; None: it is made in the cache
            on first use.

    Raises:
        ConfigError: if a number is out of range, or an option is not for this data set.
    """

    dataset: PublishedName
    path: str
    shows: Literal["events", "frames"] = "events"
    crop: FaceCrop | None = None
    window_steps: int | None = None
    max_steps: int | None = None
    num_coefficients: int = 0
    alpha_from: Literal["file", "landmarks", "pictures"] = "file"
    allow_pickle: bool = False
    fps: float | None = None
    on_missing: OnMissing = "leave-out"
    events: str | None = None

    def __post_init__(self) -> None:
        for name in ("window_steps", "max_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1; got {value}.")
        if self.window_steps is not None and self.max_steps is not None:
            raise ConfigError("clips are cut to windows (window_steps) or to a greatest length (max_steps), not both.")
        if self.crop is not None and self.dataset != "afew-va":
            raise ConfigError(f"{self.dataset} does not tell where a face is in its pictures; leave data.crop out.")
        if self.fps is not None and (self.dataset not in RATE_IS_OPEN or not 0 < self.fps < 1e6):
            raise ConfigError(f"fps is a positive rate, of {', '.join(RATE_IS_OPEN)} only; got {self.fps}.")
        if self.events is not None and (self.dataset not in VIDEO_FPS or self.shows != "events"):
            raise ConfigError(f"events are emulated of {', '.join(VIDEO_FPS)}, to be shown; leave data.events out.")
        self._require_coefficients()

    def _require_coefficients(self) -> None:
        if not self.num_coefficients:
            return
        if self.dataset != "facemorphic" or not 0 < self.num_coefficients <= 256:
            raise ConfigError(
                f"num_coefficients is 0, or up to 256 of facemorphic; got {self.num_coefficients} of {self.dataset}."
            )
        if self.alpha_from != "pictures" and not self.allow_pickle:
            raise ConfigError(
                f"the published {'coefficients' if self.alpha_from == 'file' else 'landmarks'} of FACEMORPHIC are "
                "pickles: allow them (data.allow_pickle), or fit to the RGB pictures (data.alpha_from pictures)."
            )
        if self.alpha_from == "file" and self.num_coefficients != NUM_COEFFICIENTS:
            raise ConfigError(
                f"the published coefficients are {NUM_COEFFICIENTS}; got num_coefficients {self.num_coefficients}. "
                "Take as many, or fit others (data.alpha_from)."
            )

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        """Target -> names of its classes. Where the set's codes alone tell them, its folder is read.

        Raises:
            DatasetNotFoundError, DataError: if that folder is not there or not whole.
        """
        match self.dataset:
            case "afew-va":
                return AfewVa.class_names
            case "facemorphic":
                return Facemorphic.class_names
            case "nefer":
                return Nefer.class_names
        return opened_set(self, None, 1).class_names


def opened_set(config: PublishedFacesConfig, events: Path | None, step_us: int) -> PublishedDataset:
    """The loader of the data set, with its own options."""
    options: dict[str, Any] = {"on_missing": config.on_missing}
    if config.dataset == "facemorphic":
        reads_pickles = config.num_coefficients > 0 and config.alpha_from != "pictures"
        options |= {"modalities": (config.shows,), "step_ms": step_us / 1000, "allow_pickle": reads_pickles}
        options |= {} if config.max_steps is None else {"max_steps": config.max_steps}
    elif config.dataset == "nefer":
        options["source"] = "events" if config.shows == "events" else "rgb"
    elif config.dataset in VIDEO_FPS:
        options["events"] = events
    if config.fps is not None:
        options["fps"] = config.fps
    if config.dataset == "afew-va":
        options["has_frames"] = events is None
    return LOADERS[config.dataset](Path(config.path), **options)


def frame_rate(config: PublishedFacesConfig) -> float:
    return VIDEO_FPS[config.dataset] if config.fps is None else config.fps
