"""Submissions of ``privis stage init`` in the shape of the harness of fhe-benchmarking, beside the bars."""
