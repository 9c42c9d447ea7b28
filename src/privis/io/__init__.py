"""Images in, tables out: the edges of a run (``images``, ``sources``, ``tables``, ``parts``)."""
