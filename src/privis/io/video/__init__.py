"""Video in and out, with the extra ``privis[video]``: frames with the times at which they are shown.

Nothing here counts frames: a frame is known by its time, in microseconds from the start of its file
(`privis.io.video.presentation`), whatever rates vary, edit lists leave out, or cannot be decoded.
"""
