"""``python -m benchmarks.video ../shared/data``: see `benchmarks.video.decoding`."""

from benchmarks.video.decoding import main

if __name__ == "__main__":
    main()
