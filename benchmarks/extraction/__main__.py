"""``python -m benchmarks.extraction``: see `benchmarks.extraction.features`."""

from benchmarks.extraction.features import main

if __name__ == "__main__":
    main()
