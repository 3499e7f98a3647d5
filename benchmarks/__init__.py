"""Scripts that produce the figures quoted in the README, each run as ``python -m benchmarks.NAME``."""
