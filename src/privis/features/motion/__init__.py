"""Features of what moves: differences of frames, what stands out of a background, orientations of motion.

Their image is several frames of one size below each other, in the order in which they are shown: an image like any
other to whatever decodes, resizes, noises or hides it (`privis.features.motion.frame_stack`).
"""
