"""Run every benchmark of this folder, one after the other: `make bench`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The ablation trains for hours, and conversion for one; here they show that they run.
ARGUMENTS = {"conversion.py": ["--quick"], "training_ablation.py": ["--quick"]}


def main() -> int:
    """Every script prints its own table; the first that fails ends the run."""
    for script in sorted(HERE.glob("*.py")):
        if script.name == Path(__file__).name:
            continue
        arguments = ARGUMENTS.get(script.name, [])
        print("\n==", script.name, *arguments, flush=True)
        finished = subprocess.run([sys.executable, str(script), *arguments], check=False)
        if finished.returncode:
            return finished.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
