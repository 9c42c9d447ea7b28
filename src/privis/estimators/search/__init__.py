"""Search by image: an index that is built, searched, measured, and forgets what it is told to."""
