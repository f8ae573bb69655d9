"""CASME II: spontaneous micro-expressions at 200 frames/s."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from snnface.datasets.layout.spreadsheet import SheetRow, read_sheet
from snnface.datasets.layout.tree import OnMissing, folders_in, inside, require_root, wrong_layout
from snnface.datasets.published.coded_pictures import CodedMovement, CodedPictures, coded_movement, subject_number
from snnface.errors import ConfigError

__all__ = ["CASME2_EMOTIONS", "CASME2_FIVE_CLASSES", "Casme2"]

FPS = 200.0
CASME2_FIVE_CLASSES = ("happiness", "disgust", "repression", "surprise", "others")
"""The classes of the published evaluation. Source: Yan et al. 2014, table 5."""

CASME2_EMOTIONS = (*CASME2_FIVE_CLASSES, "sadness", "fear")
"""Every emotion of the table of codes."""

FOLDERS = {"cropped": "Cropped", "raw": "CASME2_RAW_selected"}
EXPECTED = "CASME2-coding-20140508.xlsx and Cropped/subNN/EPxx_yy/reg_imgN.jpg or CASME2_RAW_selected/.../imgN.jpg"
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename", "File name"),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "Apex", "ApexFrame1"),
    "offset": ("OffsetFrame", "Offset"),
    "action_units": ("Action Units", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


class Casme2(CodedPictures):
    """Clips of CASME II; a `PublishedDataset`. Clips, clock and labels as `CodedPictures` tells.

    Clip names are `subNN/EPxx_yy`, subjects `subNN`. The table of codes is the one workbook
    `CASME2-coding*.xlsx` in the root; the archives unpack to `Cropped/Cropped/...` with some
    programs, which is found too.

    Source: Yan et al. 2014, "CASME II: an improved spontaneous micro-expression database and
    the baseline evaluation", PLoS ONE 9(1): e86041.

    Args:
        pictures: "cropped" (registered faces, 280x340) or "raw" (640x480).
        emotions: the classes, in index order.
        events: what `snnface emulate` wrote from the data set or the folder of pictures, at 200 frames/s.
        on_missing: whether clips whose files are not all there (the published cropped set lacks
            frames of one) or whose codes contradict each other are an error or are left out.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, or as `CodedPictures`, `read_sheet` and `coded_movement`.
        ConfigError: if `pictures` or `emotions` are unknown.
    """

    def __init__(
        self,
        root: Path,
        *,
        pictures: Literal["cropped", "raw"] = "cropped",
        emotions: Sequence[str] = CASME2_FIVE_CLASSES,
        events: Path | None = None,
        on_missing: OnMissing = "error",
    ) -> None:
        if pictures not in FOLDERS:
            raise ConfigError(f"pictures must be 'cropped' or 'raw'; got {pictures!r}.")
        require_root(root, "CASME II", EXPECTED)
        tables = sorted(root.glob("CASME2-coding*.xlsx"))
        if len(tables) != 1:
            remedy = "Give the folder that holds them." if not tables else "Leave one workbook of codes there."
            raise wrong_layout(root, "CASME II", EXPECTED, remedy)
        folder = _picture_root(root, FOLDERS[pictures])
        rows = read_sheet(tables[0], COLUMNS, required=tuple(COLUMNS))
        super().__init__(
            name="CASME II",
            protocol="leave one subject out, 5 classes (Yan et al. 2014, PLoS ONE 9(1): e86041)",
            root=root,
            pictures=folder,
            fps=FPS,
            movements=[_movement(folder, row) for row in rows],
            known_emotions=CASME2_EMOTIONS,
            emotions=emotions,
            events=events,
            on_missing=on_missing,
        )


def _picture_root(root: Path, name: str) -> Path:
    for folder in (root / name, root / name / name):
        if folder.is_dir() and folders_in(folder, r"sub[0-9]+"):
            return folder
    raise wrong_layout(root, "CASME II", f"{name}/subNN/", "Unpack that archive there, or choose the other pictures.")


def _movement(pictures: Path, row: SheetRow) -> CodedMovement:
    subject = f"sub{subject_number(row, prefix='sub'):02d}"
    folder = inside(pictures, f"{subject}/{row.cells['name']}", source=row.source)
    return coded_movement(row, folder=folder.relative_to(pictures).as_posix(), subject=subject)
