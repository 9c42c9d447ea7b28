"""``python -m benchmarks.extraction``: see `benchmarks.extraction.features`."""

import sys

from benchmarks.extraction.features import main

if __name__ == "__main__":
    main(sys.argv[1:])
