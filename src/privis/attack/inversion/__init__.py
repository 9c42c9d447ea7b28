"""From a feature back to the picture, and from a picture or a feature to whose it is."""
