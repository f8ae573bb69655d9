"""Read a file in slices of 33 ms; print how many events there were and the process's peak memory.

python peak_memory.py FILE
"""

import sys
from pathlib import Path

from snnface.events import open_events


def main() -> None:
    count = sum(len(events) for events in open_events(sys.argv[1]).slices(33_000))
    # Not getrusage: its peak begins with that of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(count, int(status["VmHWM"].split()[0]) // 1024)


if __name__ == "__main__":
    main()
