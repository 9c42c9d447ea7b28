"""Commands for documents, and for painting over what must not leave."""
