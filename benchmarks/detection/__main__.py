"""``python -m benchmarks.detection``: see `benchmarks.detection.windows`."""

from benchmarks.detection.windows import main

if __name__ == "__main__":
    main()
