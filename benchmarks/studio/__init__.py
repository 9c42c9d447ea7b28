"""The local page in a real browser: how soon it shows something, and how much memory it keeps."""
