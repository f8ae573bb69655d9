"""SAMM: spontaneous micro-movements of a diverse group of people at 200 frames/s."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from snnface.datasets.layout.spreadsheet import SheetRow, read_sheet
from snnface.datasets.layout.tree import OnMissing, folders_in, inside, require_root, wrong_layout
from snnface.datasets.published.coded_pictures import CodedMovement, CodedPictures, coded_movement, subject_number

__all__ = ["SAMM_EMOTIONS", "SAMM_FIVE_CLASSES", "Samm"]

FPS = 200.0
SAMM_FIVE_CLASSES = ("anger", "happiness", "contempt", "surprise", "other")
"""The five classes with ten clips or more, which is what is usually reported on."""

SAMM_EMOTIONS = (*SAMM_FIVE_CLASSES, "disgust", "fear", "sadness")
"""Every emotion of the table of codes."""

TABLE = "SAMM_Micro_FACS_Codes*.xlsx"
EXPECTED = "SAMM_Micro_FACS_Codes_v2.xlsx and NNN/NNN_s_k/NNN_nnnnn.jpg"
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename", "File name"),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "action_units": ("Action Units", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


class Samm(CodedPictures):
    """Clips of SAMM; a `PublishedDataset`. Clips, clock and labels as `CodedPictures` tells.

    Clip names are `NNN/NNN_s_k`, subjects `NNN`. The pictures lie in the root itself or in a
    folder `SAMM` or `SAMM_CROP` in it, the workbook `SAMM_Micro_FACS_Codes*.xlsx` in the root.

    Source: Davison et al. 2018, "SAMM: a spontaneous micro-facial movement dataset", IEEE
    Transactions on Affective Computing 9(1), 116-129.

    Args:
        emotions: the classes, in index order.
        events: what `snnface emulate` wrote from the data set or the folder of pictures, at 200 frames/s.
        on_missing: whether clips whose files are not all there, or whose codes contradict each
            other, are an error or are left out.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, or as `CodedPictures`, `read_sheet` and `coded_movement`.
        ConfigError: if an emotion is unknown.
    """

    def __init__(
        self,
        root: Path,
        *,
        emotions: Sequence[str] = SAMM_FIVE_CLASSES,
        events: Path | None = None,
        on_missing: OnMissing = "error",
    ) -> None:
        require_root(root, "SAMM", EXPECTED)
        tables = sorted(root.glob(TABLE))
        places = [root / name for name in ("", "SAMM", "SAMM_CROP")]
        folder = next((place for place in places if place.is_dir() and folders_in(place, "[0-9]{3}")), None)
        if len(tables) != 1 or folder is None:
            raise wrong_layout(root, "SAMM", EXPECTED)
        rows = read_sheet(tables[0], COLUMNS, required=tuple(COLUMNS))
        super().__init__(
            name="SAMM",
            protocol="leave one subject out, 5 classes (Davison et al. 2018; the classes as commonly reported)",
            root=root,
            pictures=folder,
            fps=FPS,
            movements=[_movement(folder, row) for row in rows],
            known_emotions=SAMM_EMOTIONS,
            emotions=emotions,
            events=events,
            on_missing=on_missing,
        )


def _movement(pictures: Path, row: SheetRow) -> CodedMovement:
    subject = f"{subject_number(row):03d}"
    folder = inside(pictures, f"{subject}/{row.cells['name']}", source=row.source)
    movement = coded_movement(row, folder=folder.relative_to(pictures).as_posix(), subject=subject)
    return replace(movement, emotion="other" if movement.emotion == "others" else movement.emotion)
