"""Features in pipelines of other engines: rows of encoded images in, rows of vectors and errors out."""
