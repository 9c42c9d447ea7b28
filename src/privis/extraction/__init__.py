"""From images to features: one image, a list, a folder; with the guarantee and the card that travel with them."""
