"""Identity documents: from a picture to what its machine-readable zone says, at the owner or on hidden characters."""
