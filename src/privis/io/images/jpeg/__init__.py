"""Files that cameras write: pixels of a JPEG, whole or at a fraction of its size, and which side of it is up."""
