"""Which tool runs which file: `tool:path`, or the path alone where its ending says enough.

What needs more than this package (chips, run folders) registers itself in the entry points
"conversion.runners": name -> a function (path, dt_s) that gives a `Runner`.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from conversion.runners.run import Runner
from snnface.errors import ConfigError, unknown_name

__all__ = ["GROUP", "open_runner", "runner_names"]

GROUP = "conversion.runners"

Opener = Callable[[Path, float | None], Runner]


def open_runner(text: str, *, dt_s: float | None = None) -> Runner:
    """The runner that `text` names, with its file read.

    Args:
        text: `tool:path`; or a path that ends in .nir, .json (nir, graph) or .onnx (onnx), or a folder (torch).
        dt_s: the length of a step in seconds, for NIR files that do not say it.

    Raises:
        ConfigError: if there is no such tool, or the ending says nothing.
        SnnfaceError: as the tool's own reader.
    """
    tool, separator, path = text.partition(":")
    if not separator:
        tool, path = _tool_for(Path(text)), text
    return _opener(tool)(Path(path), dt_s)


def runner_names() -> tuple[str, ...]:
    """Every tool that can be named."""
    return tuple(sorted({*_OWN, *(entry.name for entry in entry_points(group=GROUP))}))


def _tool_for(path: Path) -> str:
    tools = {".nir": "nir", ".json": "graph", ".onnx": "onnx"}
    tool = "torch" if path.is_dir() else tools.get(path.suffix)
    if tool is None:
        raise ConfigError(
            f"{str(path)!r} does not say what runs it; write tool:path, with a tool of {', '.join(runner_names())}."
        )
    return tool


def _opener(tool: str) -> Opener:
    if tool in _OWN:
        return _OWN[tool]
    for entry in entry_points(group=GROUP):
        if entry.name == tool:
            return entry.load()
    raise unknown_name("tool", tool, runner_names())


# Imported when they are called for, so that one tool's absence does not keep the others away.
def _graph(path: Path, dt_s: float | None) -> Runner:
    from conversion.runners.graph_runner import open_graph

    return open_graph(path, dt_s)


def _snntorch(path: Path, dt_s: float | None) -> Runner:
    from conversion.runners.nir_peers import open_snntorch

    return open_snntorch(path, dt_s)


def _norse(path: Path, dt_s: float | None) -> Runner:
    from conversion.runners.nir_peers import open_norse

    return open_norse(path, dt_s)


def _onnxruntime(path: Path, dt_s: float | None) -> Runner:
    from conversion.runners.ann_runners import open_onnxruntime

    return open_onnxruntime(path, dt_s)


def _ann(path: Path, dt_s: float | None) -> Runner:
    from conversion.runners.ann_runners import open_ann

    return open_ann(path, dt_s)


_OWN: dict[str, Opener] = {
    "nir": _graph,
    "graph": _graph,
    "snntorch": _snntorch,
    "norse": _norse,
    "onnx": _onnxruntime,
    "ann": _ann,
}
