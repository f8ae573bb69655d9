"""The direction of imports, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("snnface", "ann_baselines", "conversion", "hardware")
MAY_IMPORT = {
    "snnface": {"snnface"},
    "ann_baselines": {"ann_baselines", "snnface"},
    "conversion": {"conversion", "snnface"},
    "hardware": {"hardware", "conversion", "snnface"},
    "snnface.app": set(PACKAGES),
    "hardware.lava_worker": set(),
}
# Inside snnface a layer may import its own and lower ones.
LAYERS = [
    {
        "errors",
        "seeding",
        "shapes",
        "jit",
        "files",
        "cache",
        "arrays",
        "pickles",
        "config",
        "jobs",
        "memory",
        "pages",
        "streams",
    },
    {"events"},
    {"recording"},
    {"representations", "labels"},
    {"spiking", "datasets", "faces"},
    {"models", "metrics"},
    {"tasks"},
    {"training"},
    {"app"},
]


def imports_of(path: Path) -> set[str]:
    """Dotted names of every project module that `path` imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
    return {name for name in names if name.split(".")[0] in PACKAGES}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def home_of(path: Path) -> str:
    """The row of MAY_IMPORT that a file falls under."""
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return max((key for key in MAY_IMPORT if dotted == key or dotted.startswith(key + ".")), key=len)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_in_the_allowed_direction(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imports_of(path)
        if name.split(".")[0] not in MAY_IMPORT[home_of(path)]
    ]
    assert wrong == []


def test_nothing_imports_the_app() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for package in PACKAGES
        for path in sources(package)
        if home_of(path) != "snnface.app"
        for name in imports_of(path)
        if name.startswith("snnface.app")
    ]
    assert wrong == []


def test_layers_of_snnface_import_only_downwards() -> None:
    height = {name: level for level, names in enumerate(LAYERS) for name in names}
    wrong = []
    for path in sources("snnface"):
        parts = path.relative_to(ROOT / "snnface").with_suffix("").parts
        if parts[0] == "__init__":
            continue
        for name in imports_of(path):
            package, _, rest = name.partition(".")
            if package == "snnface" and rest and height[rest.split(".")[0]] > height[parts[0]]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_every_module_of_snnface_has_a_layer() -> None:
    known = set().union(*LAYERS)
    found = {
        entry.stem
        for entry in (ROOT / "snnface").iterdir()
        if not entry.name.startswith("_") and (entry.suffix == ".py" or (entry / "__init__.py").is_file())
    }
    assert found == known


def test_only_the_module_for_it_unpickles() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sources(package)
        if any(
            isinstance(node, ast.Import | ast.ImportFrom) and any(alias.name == "pickle" for alias in node.names)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert offenders == ["snnface/pickles.py"]
