"""The command line: `snnface <verb>`. Verbs are imported only when they are called, so that help is instant."""

import sys
from importlib import import_module

from snnface import __version__
from snnface.errors import SnnfaceError, unknown_name
from snnface.memory import keep_freed_memory
from snnface.streams import run_command

__all__ = ["main"]

VERBS = {
    "demo": "synthetic faces to a chip run and a report, in minutes",
    "info": "what a recording holds: rates, polarities, hot pixels, a plot",
    "view": "a recording as a video or pictures of its event frames",
    "emulate": "a video, or a data set of videos, to events",
    "fit-face": "pictures of a face to 3DMM coefficients, and to labels of event frames",
    "synthesise": "recordings of synthetic people: RGB, events and all that is known of them",
    "make-fixture": "a miniature of a published data set, with synthetic people",
    "list": "recipes, tables of the papers, targets and backends",
    "train": "train a recipe into a run folder",
    "evaluate": "accuracy of a run on its test subjects",
    "cross-validate": "train and evaluate a recipe in every fold of its protocol",
    "reproduce": "the papers' tables, rerun: the published value beside ours",
    "analyse": "a real recording to statistics, action units and a report",
    "export": "a trained network to a file: NIR, or ONNX of a conventional one",
    "deploy": "quantise, run in Loihi fixed point and in Lava, count operations",
    "report": "everything about a run as one HTML file",
}

# How to go on.
ON_INTERRUPT = {
    "train": "; the run goes on with --resume",
    "cross-validate": "; it goes on when the same command is given again",
    "reproduce": "; finished runs are kept, the same command goes on",
    "emulate": "; a data set goes on when the same command is given again",
    "synthesise": "; the set goes on when the same command is given again",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 if all went well; 1 after a SnnfaceError, whose message is the one line on
        standard error; 2 for a wrong command line. `--debug` shows the traceback.
    """
    given = sys.argv[1:] if arguments is None else arguments
    keep_freed_memory()
    return run_command(lambda: _run(given))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        print(f"snnface {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        print(f"snnface: {unknown_name('command', verb, VERBS)}", file=sys.stderr)
        return 2
    try:
        import_module(f"snnface.app.commands.{verb.replace('-', '_')}").main(rest)
    except BrokenPipeError:
        raise
    except (SnnfaceError, OSError) as error:
        if debug:
            raise
        message = _file_error(error) if isinstance(error, OSError) and error.strerror else str(error)
        print(f"snnface {verb}: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"snnface {verb}: interrupted{ON_INTERRUPT.get(verb, '')}.", file=sys.stderr)
        return 130
    return 0


def _file_error(error: OSError) -> str:
    """What the system says of a file, in a sentence."""
    place = "a file" if error.filename is None else str(error.filename)
    return (
        f"{place} cannot be read or written ({error.strerror}). Make room, get access to it, or choose another place."
    )


def _help() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items()]
    return "\n".join(
        [
            "usage: snnface <command> [options]     (snnface <command> --help for its options)",
            "",
            "Event-camera recordings of faces to spiking networks on neuromorphic hardware models.",
            "",
            *lines,
            "",
            "  --debug shows the traceback of an error; --version prints the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
