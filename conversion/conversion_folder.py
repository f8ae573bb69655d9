"""What a conversion leaves behind: one folder with networks and report, written whole or not at all.

model.json, model.safetensors   the spiking network (`graph_io`)
model.nir                       the same in NIR, resets and starts as they are (`nir_soft_reset`)
events.nir                      the network for events instead of held pictures, where the ANN's pictures are counts
portable.nir                    where asked for: the second network, NIR's plain IF
ann.onnx                        the ANN, where it came as a torch module
report.html, report.json        how right it is
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from conversion.ann.graph import AnnGraph
from conversion.event_input import for_event_bins
from conversion.graph import SpikingGraph
from conversion.graph_io import save_graph
from conversion.nir_export import write_nir
from conversion.nir_import import read_nir
from conversion.onnx_export import export_onnx
from conversion.report_page import conversion_page
from conversion.report_values import Conversion, conversion_values
from conversion.simulate import constant_input, simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import BackendUnavailableError, ConfigError, ConversionError, UnsupportedLayerError
from snnface.files import write_refused, write_text

__all__ = ["require_free", "write_conversion"]

_COMPARED = 4
"""Samples on which the NIR file is run beside the network."""


def require_free(out: Path) -> None:
    """Check that a conversion can be written to `out`, before the work is done.

    Raises:
        ConfigError: if something is there already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; choose another folder as --out.")


def write_conversion(
    conversion: Conversion,
    out: Path,
    *,
    model: nn.Module | AnnGraph,
    samples: np.ndarray,
    portable: SpikingGraph | None = None,
    is_for_events: bool = False,
) -> Conversion:
    """Write the folder `out`.

    Args:
        model: the ANN.
        samples: [B, *input_shape], for the examples that files are checked with.
        portable: the second network.
        is_for_events: the ANN's input is a sum of events.

    Returns:
        What the page shows: the conversion with its files, and what came of checking them.

    Raises:
        ConfigError: if something is at `out` already.
        DataError: if the disk refuses a file.
        UnsupportedLayerError: if NIR cannot say the network.
    """
    require_free(out)
    files = {
        "model.json, model.safetensors": "the spiking network (conversion.graph_io.load_graph)",
        "model.nir": "the same in NIR, spike for spike: integrator, threshold and feedback where it resets by "
        "subtraction",
    }
    notes = list(conversion.notes)
    with _new_folder(out) as folder:
        save_graph(conversion.graph, folder / "model.json")
        write_nir(conversion.graph, folder / "model.nir")
        differing = _differing_bins(
            conversion.graph, read_nir(folder / "model.nir"), samples[:_COMPARED], conversion.report.steps
        )
        if is_for_events:
            steps = conversion.report.steps
            write_nir(for_event_bins(conversion.graph, steps), folder / "events.nir")
            files["events.nir"] = f"the same for the events of a picture's time, counted in {steps} parts of it"
        if portable is not None:
            write_nir(portable, folder / "portable.nir")
            files["portable.nir"] = f"plain IF for other tools, right at {conversion.report.steps} steps"
        if isinstance(model, nn.Module):
            if refusal := _write_onnx(model, samples, folder / "ann.onnx"):
                notes.append(f"ann.onnx was not written: {refusal}")
            else:
                files["ann.onnx"] = "the ANN itself, checked against onnxruntime"
        files["report.json"] = "the numbers of this page"
        shown = replace(conversion, files=files, notes=tuple(notes), differing_bins=differing)
        write_text(folder / "report.json", conversion_values(shown))
        write_text(folder / "report.html", conversion_page(shown))
    return shown


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` when the block ends well."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise write_refused(out, error) from error
    try:
        yield temporary
        # mkdtemp gives 0700; a result is as readable as any other folder the user makes.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        try:
            os.replace(temporary, out)
        except OSError as error:
            raise write_refused(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _differing_bins(graph: SpikingGraph, again: SpikingGraph, samples: np.ndarray, num_steps: int) -> dict[str, int]:
    held = constant_input(samples, num_steps)
    compared = compare_spikes(simulate(graph, held).spikes, simulate(again, held).spikes)
    return {comparison.population: comparison.num_differing for comparison in compared}


def _write_onnx(model: nn.Module, samples: np.ndarray, path: Path) -> str:
    """Why the ANN has no ONNX file; nothing if it has one."""
    example = torch.tensor(np.ascontiguousarray(samples[:1]), dtype=torch.float32)
    try:
        export_onnx(_Named(model), {"input": example}, path, batch_axes={"input": 0})
    except (BackendUnavailableError, ConversionError, UnsupportedLayerError) as error:
        return str(error)
    return ""


class _Named(nn.Module):
    """The ANN with an argument of a known name."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        answer: Tensor = self.model(input)
        return answer
