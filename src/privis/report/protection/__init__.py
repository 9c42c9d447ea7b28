"""Reports on what protects images: one page in English or Chinese for whoever answers for it."""
