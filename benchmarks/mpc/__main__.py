"""``python -m benchmarks.mpc``: see `benchmarks.mpc.programs`."""

from benchmarks.mpc.programs import main

if __name__ == "__main__":
    main()
