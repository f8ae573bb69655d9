"""What `snnface analyse --stream` prints: the running answer, then what frames took."""

import json
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32
from rich.console import Console
from rich.table import Table

from snnface.app.answers import answer_names, in_words
from snnface.app.streaming import PARTS, FaceStream, StreamedFrame, StreamSummary
from snnface.spiking.kernels import kernel_report

__all__ = ["report_stream"]

SHARES = {"median": 0.5, "95 %": 0.95}
LABELS = {
    "read": "events, decoded from the file",
    "picture": "picture, drawn from the events",
    "answer": "answer of the network",
    "latency": "picture and answer",
}


def report_stream(stream: FaceStream, *, as_json: bool) -> StreamSummary:
    """Run the stream to its end and print the answers as they come: at the end of each clip, or once a second.

    Raises:
        DataError, EventOrderError: as `FaceStream.frames`.
    """
    console = Console(markup=False, highlight=False, quiet=as_json)
    names = answer_names(stream.recipe)
    console.print(f"{stream.recording.name}: {stream.recording.file.resolution}, frames of {1000 * stream.step_s:g} ms")
    console.print(stream.framing.sentence)
    every = stream.clip_frames or max(1, round(1 / stream.step_s))
    summary = StreamSummary()
    for frame in stream.frames():
        summary.add(frame)
        if summary.num_frames % every:
            continue
        if as_json:
            print(json.dumps(frame_values(frame, names)), flush=True)
        else:
            console.print(f"{frame.end_s:9.3f} s  {frame.num_events:9,} events  {in_words(frame.answers, names)}")
    values = summary_values(stream, summary, names)
    if as_json:
        print(json.dumps(values), flush=True)
        return summary
    assert summary.last is not None
    console.print(f"the last answer, after {summary.num_frames} frames: {in_words(summary.last.answers, names)}")
    for loss in stream.recording.file.losses:
        console.print(f"left out: {loss}")
    table = Table(title=f"Milliseconds a frame of {1000 * stream.step_s:g} ms", title_style="")
    for column in ("", *SHARES, "largest"):
        table.add_column(column, justify="right" if column else "left")
    for name, label in LABELS.items():
        found = summary.latencies[name]
        cells = (*(found.quantile(share) for share in SHARES.values()), found.max)
        table.add_row(label, *(f"{1000 * seconds:.2f}" for seconds in cells))
    console.print(table)
    console.print(kernel_sentence())
    return summary


def frame_values(frame: StreamedFrame, names: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """A frame for machines."""
    return {
        "end_s": frame.end_s,
        "num_events": frame.num_events,
        "answers": {target: _named(values, names.get(target)) for target, values in frame.answers.items()},
        "latency_ms": 1000 * frame.latency_s,
    }


def _named(values: Float32[np.ndarray, " K"], names: tuple[str, ...] | None) -> dict[str, float] | list[float]:
    return dict(zip(names, values.tolist(), strict=True)) if names else values.tolist()


def summary_values(
    stream: FaceStream, summary: StreamSummary, names: Mapping[str, tuple[str, ...]]
) -> dict[str, object]:
    """The summary for machines."""
    assert summary.last is not None
    return {
        "recording": stream.recording.name,
        "framing": stream.framing.sentence,
        "num_frames": summary.num_frames,
        "num_events": summary.num_events,
        "frame_ms": 1000 * stream.step_s,
        "milliseconds": {
            name: {
                **{label: 1000 * summary.latencies[name].quantile(share) for label, share in SHARES.items()},
                "largest": 1000 * summary.latencies[name].max,
            }
            for name in (*PARTS, "latency")
        },
        "last": frame_values(summary.last, names),
        "losses": list(stream.recording.file.losses),
        "kernels": kernel_report(),
    }


def kernel_sentence() -> str:
    """Which kernels ran, and why others could not."""
    report = kernel_report()
    of_processor = ("cpu", "event_conv", "spike_layer")
    return f"kernel: {report['ran'] or 'none'}; " + "; ".join(f"{key}: {report[key]}" for key in of_processor)
