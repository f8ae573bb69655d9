"""What the benchmarks compare with, and how: clocks, recordings to read, each peer's own fast path."""
