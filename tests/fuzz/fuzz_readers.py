"""Coverage-guided fuzzing of the readers: any bytes give valid events or a DataError, strict and recovering.

    pip install -e '.[fuzz]'
    python tests/fuzz/fuzz_readers.py evt3 -runs=100000            # or -max_total_time=600

FORMAT is a name of `event_files.EVENT_FILES`; what follows it goes to libFuzzer. Its small file, those of
`tests/fuzz/corpus` that begin alike, and what earlier runs found new (`.fuzz/FORMAT`, kept between runs) are
where it starts. numba is switched off: compiled loops are invisible to coverage, and as plain Python they check
every index. A finding stops the run; libFuzzer then writes its bytes to `crash-...`.
"""

import importlib
import logging
import os
import pkgutil
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]


def main() -> None:
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    logging.disable(logging.WARNING)
    import atheris

    # Integers that wrap do so in compiled code without a word; the readers count on it.
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    with atheris.instrument_imports(include=["snnface.events.readers"]):
        import snnface.events.readers as readers

        for module in pkgutil.iter_modules(readers.__path__, readers.__name__ + "."):
            importlib.import_module(module.name)
    from event_files import EVENT_FILES, SENSOR, small_columns
    from examination import examine_strict_and_recovering

    name, options = sys.argv[1], sys.argv[2:]
    seed = EVENT_FILES[name](small_columns())
    corpus = Path(".fuzz", name.replace(" ", "_"))
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "seed").write_bytes(seed)
    for known in (HERE / "corpus").iterdir():
        if known.read_bytes()[:8] == seed[:8]:
            (corpus / known.name).write_bytes(known.read_bytes())
    with TemporaryDirectory() as folder:
        path = Path(folder, "events")

        def target(data: bytes) -> None:
            path.write_bytes(data)
            examine_strict_and_recovering(path, SENSOR)

        atheris.Setup([sys.argv[0], *options, str(corpus)], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
