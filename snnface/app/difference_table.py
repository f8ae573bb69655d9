"""How a model differs from trivial predictors on the same people, as the table that commands print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from snnface.app.evaluation import Scores
from snnface.app.judged_run import Apart, apart_from_trivial, judgement_of, unseen_predictors
from snnface.app.recipes import Recipe
from snnface.app.tables import NOT_SHOWN, SHARES, TRIVIAL
from snnface.tasks.reconstruction import SHOWN

__all__ = ["print_differences"]


def print_differences(recipe: Recipe, folders: Sequence[Path], scores: Mapping[str, Scores]) -> None:
    """The model's metrics minus those of each trivial predictor, with 95 % intervals by pairs; a star where 0 lies
    outside. Predictors that answer from what the model is never shown are named and left out.

    Args:
        folders: evaluated run folders, one a fold.
        scores: predictor -> metric -> value, over all of them together.

    Raises:
        CheckpointError: if one of the folders has not been evaluated.
    """
    console, unseen = Console(markup=False, highlight=False), unseen_predictors(recipe)
    apart = apart_from_trivial(recipe, judgement_of(recipe, folders))
    found = {name: pairs for name, pairs in apart.items() if pairs and name not in unseen}
    if not found:
        console.print("one subject was tested: there are no intervals, for nothing tells how others differ")
        return
    console.print("minus trivial answers to the same subjects (95 %; *: 0 lies outside)")
    table = Table()
    table.add_column("")
    for name in found:
        table.add_column(TRIVIAL.get(name, name), justify="right")
    for metric in scores["model"]:
        cells = [_cell(metric, scores["model"], scores[name], pairs) for name, pairs in found.items()]
        if metric not in NOT_SHOWN and not metric.startswith(SHOWN) and any(cells):
            table.add_row(f"{metric} %" if metric in SHARES else metric, *cells)
    console.print(table)
    for name in unseen:
        console.print(f"{TRIVIAL.get(name, name)} is no measure of a model that is never shown it")


def _cell(metric: str, ours: Scores, theirs: Scores, pairs: Apart) -> str:
    if metric not in pairs:
        return ""
    low, high = pairs[metric]
    scale, digits = (100, 1) if metric in SHARES else (1, 3)
    value, *bounds = (
        f"{scale * number:+.{digits}f}" for number in (ours[metric].value - theirs[metric].value, low, high)
    )
    return f"{value} ({' .. '.join(bounds)}){' *' if low > 0 or high < 0 else '  '}"
