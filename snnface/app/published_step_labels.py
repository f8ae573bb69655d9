"""Labels over time of a published data set, carried over to the steps of the pictures; coefficients fitted to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from snnface.app.coefficient_fitting import fitted_coefficients
from snnface.app.emulated_set import cache_folder, mean_event_times
from snnface.app.filmed_faces import ALPHA
from snnface.app.published_set import VIDEO_FPS, PublishedFacesConfig, frame_rate
from snnface.datasets.clip import Clip
from snnface.datasets.clip_windows import alike_labels, labelled_steps, with_step_label
from snnface.datasets.published.afew_va import AfewVa
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.errors import DataError
from snnface.faces.fitting import event_frame_labels

__all__ = ["PublishedStepLabels"]

# Labels in pixels of the sensor mean nothing in what is cut out of it.
IN_PIXELS = ("landmarks68", "face_box")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStepLabels:
    """Gives clips a row of each label over time for each step, with a mask `<name>_present`.

    The row is that of the label nearest in time to the step: of emulated events, to the mean time of its events; of
    frames, to the frame in effect at its end; else to its end. Labels in pixels (landmarks, boxes) are left out.

    Attributes:
        step_us: duration of a step of the pictures.
        cache_dir: where times of steps, and coefficients that are fitted, are kept.
    """

    config: PublishedFacesConfig
    loader: PublishedDataset
    step_us: int
    cache_dir: Path | None

    def labelled(
        self, clips: Sequence[Clip], *, events: Path | None, on_progress: Callable[[int, int], None] | None
    ) -> list[Clip]:
        """The clips with the same labels in all: zeros that are masked where one has none.

        Args:
            events: the folder of emulated events, of a set of videos.
            on_progress: called with (done, all) while faces are fitted.

        Raises:
            DataError: if coefficients are wanted, and no recording has any.
            ConfigError: if there is no cache for what is fitted.
        """
        config, means = self.config, self._mean_times(clips, events)
        is_fitted = config.num_coefficients > 0 and config.alpha_from != "file"
        # The published ones are read with the points that others are fitted to.
        unwanted = (*IN_PIXELS, ALPHA) if is_fitted else IN_PIXELS
        stepped = [
            labelled_steps(
                clip, means.get(clip.clip_id, self._step_times(clip)), step_us=self.step_us, without=unwanted
            )
            for clip in clips
        ]
        if is_fitted:
            stepped = self._with_fitted(stepped, on_progress)
        if config.num_coefficients and not any(ALPHA in clip.labels for clip in stepped):
            raise DataError(
                f"coefficients of {self.loader.name} should come from its {config.alpha_from}; no recording of "
                f"{config.path} has any. Choose another data.alpha_from."
            )
        return alike_labels(stepped, self.step_us)

    def _step_times(self, clip: Clip) -> Float64[np.ndarray, " T"]:
        """The end of each step; half a frame earlier for frames, so that the nearest label is that of the last one."""
        ends = clip.window.start_us + np.arange(1, clip.window.num_steps(self.step_us) + 1) * self.step_us - 1.0
        is_video = self.config.dataset in VIDEO_FPS and self.config.shows == "frames"
        return ends - 0.5e6 / frame_rate(self.config) if is_video else ends

    def _mean_times(self, clips: Sequence[Clip], events: Path | None) -> Mapping[str, Float64[np.ndarray, " T"]]:
        """Of the clips with labels over time, where events are emulated."""
        if events is None or not isinstance(self.loader, AfewVa):
            return {}
        kept = None
        if self.cache_dir is not None:
            settings = f"{events.resolve()} {self.step_us}"
            kept = cache_folder(self.cache_dir, self.config.dataset, "times", Path(self.config.path), settings)
            kept = kept.with_suffix(".npz")
        return mean_event_times(clips, self.loader.event_pieces, step_us=self.step_us, kept=kept)

    def _with_fitted(self, clips: Sequence[Clip], on_progress: Callable[[int, int], None] | None) -> list[Clip]:
        config, loader = self.config, self.loader
        assert isinstance(loader, Facemorphic)
        settings = f"{config.num_coefficients} {config.alpha_from}"
        fitted = fitted_coefficients(
            loader,
            num_coefficients=config.num_coefficients,
            finds_points=config.alpha_from == "pictures",
            folder=cache_folder(self.cache_dir, config.dataset, "coefficients", Path(config.path), settings),
            on_progress=on_progress,
        )
        found = []
        for clip in clips:
            rows = fitted.get(clip.recording_id)
            if rows is not None:
                alpha = event_frame_labels(
                    rows.values.astype(np.float64),
                    rows.present,
                    loader.frame_times(clip.recording_id),
                    self._step_times(clip),
                )
                clip = with_step_label(clip, ALPHA, alpha.values.astype(np.float32), alpha.present, self.step_us)
            found.append(clip)
        return found
