"""Speed and accuracy against named peers; a package of its own, as opacus installs another of this name."""
