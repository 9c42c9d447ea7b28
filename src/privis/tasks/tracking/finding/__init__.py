"""People in frames of a fixed camera: background, foreground, how tall people are, places, looks."""
