"""Recognition of people by their faces: one against one, and one against a gallery."""
