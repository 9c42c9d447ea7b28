"""``python -m benchmarks.classification``."""

from benchmarks.classification.accuracy import main

if __name__ == "__main__":
    main()
