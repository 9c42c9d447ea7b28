"""``python -m privis`` is the ``privis`` command."""

from privis.cli import main

if __name__ == "__main__":
    main()
