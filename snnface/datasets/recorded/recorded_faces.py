"""Recordings in the project's own layout: synthetic sets, and micro-expressions as they were recorded."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from snnface.arrays import read_arrays, write_arrays
from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.layout.tree import Absences, OnMissing, is_fixture, require_root, require_unique
from snnface.datasets.recorded.clip_table import CLIP_TABLE, ClipRow, read_clip_rows
from snnface.datasets.recorded.take_folder import EVENT_FILES, FRAME_FOLDERS, SET_FILE, TakeFolder
from snnface.datasets.splits import Split, leave_one_subject_out
from snnface.datasets.synthesis.truth import Truth, read_truth
from snnface.errors import ConfigError, DataError, unknown_name
from snnface.events.filters.box_track import BoxTrack
from snnface.events.readers import read
from snnface.events.window import TimeWindow
from snnface.faces.action_units import action_unit
from snnface.faces.detection.face_crop import FaceCrop, cropped_events, cropped_frames, face_squares
from snnface.files import read_text
from snnface.recording import Recording

__all__ = ["RecordedFaces"]

EXPECTED = f"{CLIP_TABLE} and a folder <subject>/<take> of each clip"
# Clips were trimmed to leave about a second before and after: Mastropasqua et al. 2025, sec. 3.4.
MARGIN_US = 1_000_000


class RecordedFaces:
    """Takes in the layout of `take_folder`, each clip with its labels; a `PublishedDataset`.

    This is also the layout for the micro-expression recordings (DAVIS346, EVK4 and RGB camera).

    Labels of a clip: `action_unit` or `emotion`, the class index of what was asked for; `onset_us`,
    `apex_us`, `offset_us`, in the recording's clock. Where the truth of a synthetic take is there,
    also, in the middle of every step of `label_step_us` from the clip's start on (`Clip.label_t_us`), so that
    row s belongs to the s-th event picture of that length: `action_unit_intensity`, float32 [S, K], of
    every unit of the classes; `valence_arousal`, float32 [S, 2]; `landmarks68`,
    float32 [S, 68, 2], and `face_box`, float32 [S, 4], in pixels of the event camera, or of the
    frame camera where there are no events. `truth` gives the rest, at any time.

    A clip is [t_start, t_end) of its table; without them it reaches a second beyond onset and offset.

    Args:
        root: the folder with `clips.csv`.
        events: camera whose events a recording has: "davis", "evk4" or None. Clips of takes that it
            did not record are not among the clips.
        frames: camera whose frames it has: "rgb", "davis_frames" or None.
        crop: cut events and frames to the face, and give landmarks and boxes in pixels of the crop. The face
            is where the truth of a synthetic take has it, else where it is found in the frames that were
            taken through the same pixels (those of the DAVIS for its events).
        label_step_us: from one row of the labels over time to the next.
        on_missing: what becomes of clips whose folder or frames are not there.
        tracks: a folder in which faces that were found are kept, for finding them takes seconds a take; None: none is.

    Raises:
        DatasetNotFoundError: if there is no such folder, or no `clips.csv` in it.
        DataError: if the table is wrong, clips are missing, or the chosen camera recorded none of them.
        ConfigError: if there is no such camera, or none is chosen; if the step of labels is not positive.
    """

    protocol = "leave one subject out (Mastropasqua et al. 2025, sec. 5)"

    def __init__(
        self,
        root: Path,
        *,
        events: Literal["davis", "evk4"] | None = "davis",
        frames: Literal["rgb", "davis_frames"] | None = None,
        crop: FaceCrop | None = None,
        label_step_us: int = 33_000,
        on_missing: OnMissing = "error",
        tracks: Path | None = None,
    ) -> None:
        if events is None and frames is None:
            raise ConfigError("recordings need a camera: choose events ('davis', 'evk4') or frames ('rgb', ...).")
        if label_step_us < 1:
            raise ConfigError(f"label_step_us must be at least 1; got {label_step_us}.")
        for name, known in ((events, EVENT_FILES), (frames, FRAME_FOLDERS)):
            if name is not None and name not in known:
                raise unknown_name("camera", name, known)
        self.root = require_root(root, "recorded faces", EXPECTED)
        self._events, self._frames, self._crop = events, frames, crop
        self._label_step_us, self._kept_tracks = label_step_us, tracks
        self._tracks: dict[tuple[str, str], BoxTrack] = {}
        settings = _settings(root / SET_FILE)
        self.is_synthetic = bool(settings.get("synthetic", False)) or is_fixture(root)
        self.name = f"recorded faces ({settings.get('name', root.resolve().name)})"
        rows = self._recorded(read_clip_rows(root / CLIP_TABLE), on_missing)
        units = tuple(sorted({row.au for row in rows if row.au is not None}))
        self._units = units
        self._emotions = tuple(sorted({row.emotion for row in rows if row.emotion is not None}))
        named = {"action_unit": tuple(action_unit(code).label for code in units), "emotion": self._emotions}
        self.class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {target: names for target, names in named.items() if names}
        )
        self._takes = {row.recording_id: row.subject for row in rows}
        ids = _clip_ids(rows)
        require_unique(self.name, ids)
        self.clips: tuple[Clip, ...] = tuple(self._clip(clip_id, row) for clip_id, row in zip(ids, rows, strict=True))

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split a subject; nothing is left to chance.

        Raises:
            ConfigError: if there are fewer than two subjects.
        """
        return leave_one_subject_out(self.clips)

    def recording(self, recording_id: str) -> Recording:
        """One take, from the chosen cameras.

        Raises:
            DataError: if there is none of that name, or a file of it is missing or damaged.
        """
        folder = self._folder(recording_id)
        events = None if self._events is None else read(folder.events(self._events)).events
        frames = None if self._frames is None else picture_clip(*folder.frame_files(self._frames))
        if self._crop is not None and events is not None and self._events is not None:
            events = cropped_events(events, self.face_track(recording_id, self._events), self._crop)
        if self._crop is not None and frames is not None and self._frames is not None:
            frames = cropped_frames(frames, self.face_track(recording_id, self._frames), self._crop)
        return Recording(recording_id=recording_id, subject=self._takes[recording_id], events=events, frames=frames)

    def truth(self, recording_id: str) -> Truth:
        """All that is known of a synthetic take.

        Raises:
            DataError: if there is none of that name, it is a real recording, or the file is damaged.
        """
        return read_truth(self._folder(recording_id).truth)

    def face_track(self, recording_id: str, camera: str) -> BoxTrack:
        """Where the face is in a camera's picture: boxes round the 68 points, by the truth or found in frames.

        Raises:
            DataError: if there is no such take, neither truth nor frames tell, or no face is found in them.
            ConfigError: if that camera did not see a synthetic take.
        """
        if (recording_id, camera) not in self._tracks:
            folder = self._folder(recording_id)
            if folder.truth.is_file():
                track = _true_track(read_truth(folder.truth), camera)
            else:
                track = _found_track(folder, camera, self._kept_tracks and self._kept_tracks / recording_id)
            self._tracks[recording_id, camera] = track
        return self._tracks[recording_id, camera]

    def _folder(self, recording_id: str) -> TakeFolder:
        if recording_id not in self._takes:
            raise DataError(str(unknown_name("recording of this set", recording_id, self._takes)))
        return TakeFolder(self.root / recording_id)

    def _recorded(self, rows: tuple[ClipRow, ...], on_missing: OnMissing) -> list[ClipRow]:
        """The clips of the takes that the chosen cameras recorded."""
        absences = Absences("recorded faces", on_missing)
        seen = []
        for row in rows:
            folder = TakeFolder(self.root / row.recording_id)
            if not folder.path.is_dir():
                absences.note(row.recording_id, "there is no such folder")
            elif self._events is not None and not folder.events(self._events).is_file():
                # Not everybody sat before every camera.
                if not any(folder.events(camera).is_file() for camera in EVENT_FILES):
                    absences.note(row.recording_id, f"neither {' nor '.join(EVENT_FILES.values())} is there")
            elif self._frames is not None and not folder.frames(self._frames).is_dir():
                absences.note(row.recording_id, f"the folder {self._frames} is not there")
            else:
                seen.append(row)
        self.left_out: Mapping[str, str] = absences.settled()
        if not seen:
            raise DataError(
                f"{self.root} should have takes with {self._events or self._frames}; none of {len(rows)} clips has. "
                "Choose another camera."
            )
        return seen

    def _clip(self, clip_id: str, row: ClipRow) -> Clip:
        window = _window(row)
        phases = {"onset_us": row.on_us, "apex_us": row.apex_us, "offset_us": row.off_us}
        labels: dict[str, Label] = {name: time for name, time in phases.items() if time is not None}
        if row.au is not None:
            labels["action_unit"] = self._units.index(row.au)
        if row.emotion is not None:
            labels["emotion"] = self._emotions.index(row.emotion)
        folder = TakeFolder(self.root / row.recording_id)
        t_us, over_time = None, dict[str, Label]()
        if folder.truth.is_file():
            truth = read_truth(folder.truth)
            steps = np.arange(window.num_steps(self._label_step_us), dtype=np.int64)
            t_us = window.start_us + steps * self._label_step_us + self._label_step_us // 2
            over_time = self._labels(truth, t_us)
        return Clip(
            clip_id=clip_id,
            recording_id=row.recording_id,
            subject=row.subject,
            window=window,
            labels=MappingProxyType(labels | over_time),
            label_t_us=t_us,
            over_time=frozenset(over_time),
        )

    def _labels(self, truth: Truth, t_us: Int64[np.ndarray, " S"]) -> dict[str, Label]:
        """Labels over time."""
        camera = self._events or self._frames
        assert camera is not None
        points, boxes = truth.landmarks(camera, t_us), truth.boxes(camera, t_us)
        if self._crop is not None:
            points, boxes = _in_crop(
                points, boxes, t_us, face_squares(_true_track(truth, camera), self._crop), self._crop
            )
        labels: dict[str, Label] = {
            "valence_arousal": truth.at(truth.valence_arousal, t_us),
            "landmarks68": points.astype(np.float32),
            "face_box": boxes.astype(np.float32),
        }
        if self._units:
            columns = [truth.action_units.index(code) for code in self._units]
            labels["action_unit_intensity"] = truth.at(truth.intensities[:, columns], t_us)
        return labels


def _true_track(truth: Truth, camera: str) -> BoxTrack:
    return BoxTrack(t_us=truth.frame_t_us, boxes=truth.boxes(camera, truth.frame_t_us))


def _found_track(folder: TakeFolder, camera: str, kept: Path | None) -> BoxTrack:
    """The face as it is found in the frames that a camera took through the same pixels; read from `kept` if it is."""
    source = "davis_frames" if camera.startswith("davis") else camera
    if source not in FRAME_FOLDERS or not folder.frames(source).is_dir():
        raise DataError(
            f"{folder.path} does not tell where the face is in the picture of {camera}: there is no truth.npz, and no "
            "frames were taken through the same pixels. Choose another camera, or leave the crop out."
        )
    files, t_us = folder.frame_files(source)
    path = None if kept is None else kept / f"{source}.npz"
    if path is not None and path.is_file():
        arrays = read_arrays(path, required=("frame_t_us", "t_us", "boxes"), what="a face's boxes")
        if np.array_equal(arrays["frame_t_us"], t_us):
            return BoxTrack(arrays["t_us"], arrays["boxes"])
    # Detection loads what nothing else here needs.
    from snnface.faces.detection.tracking import track_landmarks

    track = track_landmarks(picture_clip(files, t_us)).box_track()
    if path is not None:
        boxes = {"t_us": np.asarray(track.t_us), "boxes": np.asarray(track.boxes)}
        write_arrays(path, {"frame_t_us": t_us, **boxes})
    return track


def _in_crop(
    points: Float64[np.ndarray, "S 68 2"],
    boxes: Float64[np.ndarray, "S 4"],
    t_us: Int64[np.ndarray, " S"],
    squares: BoxTrack,
    crop: FaceCrop,
) -> tuple[Float64[np.ndarray, "S 68 2"], Float64[np.ndarray, "S 4"]]:
    """Points and boxes in the pixels of the crop; centres of pixels are whole for points."""
    left, top, side = (np.interp(t_us, squares.t_us, column) for column in np.asarray(squares.boxes).T[:3])
    corner, scale = np.stack([left, top], 1), (crop.size / side)[:, None]
    inside = np.concatenate([(boxes[:, :2] - corner) * scale, boxes[:, 2:] * scale], 1)
    return (points + 0.5 - corner[:, None]) * scale[:, None] - 0.5, inside


def _window(row: ClipRow) -> TimeWindow:
    if row.start_us is not None and row.end_us is not None:
        return TimeWindow(row.start_us, row.end_us)
    assert row.on_us is not None
    assert row.off_us is not None
    return TimeWindow(max(0, row.on_us - MARGIN_US), row.off_us + MARGIN_US)


def _clip_ids(rows: list[ClipRow]) -> list[str]:
    """The take's name; where a take has several clips, with the onset or start of each."""
    counts = Counter(row.recording_id for row in rows)
    return [
        row.recording_id
        if counts[row.recording_id] == 1
        else f"{row.recording_id}@{row.start_us if row.on_us is None else row.on_us}"
        for row in rows
    ]


def _settings(path: Path) -> Mapping[str, object]:
    """What made a synthetic set; nothing for a real one."""
    if not path.is_file():
        return {}
    try:
        settings = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} should be JSON; it cannot be parsed ({error}). Copy it again.") from error
    if not isinstance(settings, dict):
        raise DataError(f"{path} should be a JSON object; got {type(settings).__name__}. Copy it again.")
    return settings
