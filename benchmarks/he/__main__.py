"""``python -m benchmarks.he``: see `benchmarks.he.features`."""

from benchmarks.he.features import main

if __name__ == "__main__":
    main()
