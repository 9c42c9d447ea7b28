"""``python -m benchmarks.attacks``: lower bounds of epsilon; other modules here are run by their names."""

from benchmarks.attacks.audits import main

if __name__ == "__main__":
    main()
