"""Prints one table: what a message costs, piece by piece, and how many a second come through. Under a minute.

Figures are for comparing two states of the code on one machine, in one sitting; the machine must be quiet.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.hot import measure_hot
from bench.through import measure_through


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{'piece':<52}{'µs each':>12}{'a second':>12}")
    for name, seconds in measure_hot():
        print(f"{name:<52}{seconds * 1e6:>12.1f}{1 / seconds:>12.0f}")
    with tempfile.TemporaryDirectory(prefix="directmail-bench-") as folder:
        for name, per_second in measure_through(Path(folder), messages):
            print(f"{name:<52}{1e6 / per_second:>12.1f}{per_second:>12.0f}")


if __name__ == "__main__":
    main()
