"""``privis stage init`` and ``readme``: submissions to the harness of fhe-benchmarking."""
