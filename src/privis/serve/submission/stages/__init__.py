"""The stages, under the names by which the harness runs them; ``privis stage init`` copies these files as they are."""
