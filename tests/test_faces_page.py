"""The page on faces: its program runs, its links and modules are there."""

import re
from pathlib import Path

import numpy as np
import pytest

from snnface.faces.landmarks import mean_landmarks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "faces.md").read_text(encoding="utf-8")


def test_the_program_on_the_page_fits_a_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = 100 + 50 * mean_landmarks()[:, :2] * [1, -1]
    header = ",".join([*(f"x_{i}" for i in range(68)), *(f"y_{i}" for i in range(68))])
    rows = np.tile(points.T.reshape(-1), (3, 1))
    np.savetxt(tmp_path / "landmarks.csv", rows, delimiter=",", header=header, comments="")
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(compile(program, "docs/faces.md", "exec"), names)
    fit = names["fit"]
    assert fit.alpha.shape == (3, 32)
    assert fit.valid.all()
    # Three times the same face.
    np.testing.assert_allclose(fit.alpha[0], fit.alpha[2])


def test_the_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"`(?:python )?((?:snnface|benchmarks)/[\w./]+)`", PAGE)
    assert named
    assert all((ROOT / name).exists() for name in named)
    assert all((ROOT / "docs" / link).exists() for link in re.findall(r"\]\((\w+\.md)", PAGE))


def test_the_functions_that_the_page_names_are_there() -> None:
    import snnface.faces.components as components
    import snnface.faces.detection as detection
    import snnface.faces.figures as figures
    import snnface.faces.files as files
    import snnface.faces.fitting as fitting
    from snnface.faces.procedural import calibration

    homes = (components, detection, figures, files, fitting, calibration)
    called = set(re.findall(r"`([a-z][a-z0-9_]+)\(", PAGE))
    assert {name for name in called if not any(hasattr(home, name) for home in homes)} == set()
