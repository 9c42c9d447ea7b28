"""``python -m benchmarks.dicom``: see `benchmarks.dicom.checks`."""

from benchmarks.dicom.checks import main

if __name__ == "__main__":
    main()
