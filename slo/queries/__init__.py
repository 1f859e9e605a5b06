"""What others read of SLOs: slices and their sums, the newest figures, and what was known when."""

from slo.queries.slices import SliceReader, counts_of, gaps

__all__ = ["SliceReader", "counts_of", "gaps"]
