"""Videos among images, with the extra ``privis[video]``: which files are some, and their frames as parts of files.

Evolution: a frame is a name (`privis.io.images.file_parts`) and is read by itself.
"""
