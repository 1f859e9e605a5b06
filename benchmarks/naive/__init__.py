"""The peer of `benchmarks/ingest.py`: the view one would write first."""
