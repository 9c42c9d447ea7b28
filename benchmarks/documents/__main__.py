"""``python -m benchmarks.documents``: see `benchmarks.documents.checks`."""

from benchmarks.documents.checks import main

if __name__ == "__main__":
    main()
