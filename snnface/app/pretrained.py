"""The compact model that ships with the package, and the script that makes it.

    python -m snnface.app.pretrained          (minutes; writes into snnface/pretrained)

It is `demo-plif`, trained on the built-in synthetic faces alone; its folder holds the
recipe, the weights, what the test subjects said, and what known faces look like.
"""

import shutil
import tempfile
from pathlib import Path

from snnface.app.evaluation import evaluate_run
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache
from snnface.app.recipes import recipe_named
from snnface.app.run import ANSWERS, EVALUATION, KNOWN_FACES, train_run
from snnface.app.tables import print_scores

__all__ = ["PRETRAINED", "main"]

PRETRAINED = Path(__file__).resolve().parents[1] / "pretrained" / "action_units"
"""A run folder without what only training needs."""


def main() -> None:
    """Train, evaluate, and put the result where `snnface analyse` finds it."""
    console = console_for()
    recipe = recipe_named("demo-plif")
    experiment = open_experiment(recipe, cache_dir=default_cache(), console=console)
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "run"
        model = train_run(experiment, out, console=console)
        result = evaluate_run(experiment, model, out)
        PRETRAINED.mkdir(parents=True, exist_ok=True)
        for name in ("recipe.json", "model.safetensors", EVALUATION, "environment.json", ANSWERS, KNOWN_FACES):
            shutil.copyfile(out / name, PRETRAINED / name)
    print_scores(experiment, {recipe.name: result})


if __name__ == "__main__":
    main()
