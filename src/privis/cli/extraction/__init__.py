"""Parts of ``privis extract``: several features in one run, and what a run would do."""
