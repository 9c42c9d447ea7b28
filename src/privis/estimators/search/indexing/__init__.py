"""What goes into an index: images with ids and subjects, their vectors, and the file that describes it."""
