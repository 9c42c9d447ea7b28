"""``python -m benchmarks.slides``: see `benchmarks.slides.checks`."""

from benchmarks.slides.checks import main

if __name__ == "__main__":
    main()
