"""Pictures of documents: what is found in them, and kinds of pictures."""
