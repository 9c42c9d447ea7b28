"""What is done to an image before a feature reads it: denoising, deskewing."""
