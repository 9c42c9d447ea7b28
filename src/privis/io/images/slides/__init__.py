"""Whole-slide images in, with the extra ``privis[slides]``: tiles of a level, and which of them have tissue.

Evolution: a tile is a name (`privis.io.images.file_parts`) and is read by itself. Associated images (label, macro,
thumbnail) are not read anywhere here: a label shows the patient's name.
"""
