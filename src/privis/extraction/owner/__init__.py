"""What an image's owner computes before anything is hidden."""
