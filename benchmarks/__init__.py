"""Speed and accuracy against named peers; a package of its own, as opacus installs another of this name."""

import sys

from benchmarks.commands import Commands

if Commands not in sys.meta_path:
    sys.meta_path.append(Commands)
