"""A decoded frame becomes uint8 RGB as it is shown: colours by what the file says of them, progressive, upright.

============================  ========================================================================================
what the frame has            what becomes of it
============================  ========================================================================================
a matrix of colours           taken (BT.601, BT.709, BT.2020, …); BT.601 where the file names none, as ffmpeg does
full or limited range         taken; limited where the file names none, except in formats that are always full
more than 8 bits              scaled to 8, with an ordered dither that depends on the place alone
transparency                  laid over white
interlaced                    each line of the lower field is made from its neighbours in the upper (estdif), from this
                              frame alone, so that a frame is the same however it is reached
a matrix of display           applied, rounded to a quarter turn, mirrored where it says so
pixels that are not square    left as they are
high dynamic range            its transfer function is not undone
============================  ========================================================================================
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class FramePixels:
    """Turns frames of one video into pixels."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> Pixels:
        """Convert one frame.

        Args:
            frame: of PyAV.

        Returns:
            uint8 (height, width, 3) RGB, upright, an array of its own.
        """
        matrix = display_matrix(frame)
        if frame.interlaced_frame:
            frame = self._progressive(frame)
        has_alpha = any(part.is_alpha for part in frame.format.components) or frame.format.has_palette
        pixels = self._converted(frame, "rgba" if has_alpha else "rgb24")
        if has_alpha:
            alpha = pixels[:, :, 3:].astype(np.uint16)
            pixels = ((pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        return np.ascontiguousarray(upright(pixels, matrix))

    def _converted(self, frame: Any, kind: str) -> Pixels:
        from av.video.reformatter import ColorRange, Interpolation

        # the same bytes on every processor, where vector units would round each in its own way; without full chroma
        # interpolation these flags make 4:2:0 up to two levels darker
        exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        exact |= Interpolation.FULL_CHR_H_INT
        made = self._reformatter.reformat(
            frame, format=kind, interpolation=int(exact), dst_color_range=ColorRange.JPEG, threads=1
        )
        return np.asarray(made.to_ndarray(), np.uint8)

    def _progressive(self, frame: Any) -> Any:
        """A frame of the upper field alone, and what lies between its lines."""
        from av.filter import Graph

        graph = Graph()  # one for every frame: no frame depends on those that were read before it
        source = graph.add_buffer(template=frame, time_base=frame.time_base or Fraction(1, 1000))
        graph.link_nodes(
            source, graph.add("estdif", "mode=frame:deint=interlaced:parity=tff"), graph.add("buffersink")
        ).configure()
        graph.push(frame)
        graph.push(None)
        return graph.pull()


def display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """Read how a frame is to be turned.

    Args:
        frame: of PyAV.

    Returns:
        a, b, c, d of x' = a x + c y, y' = b x + d y, with y downwards, in parts of 65,536; None: not at all.
    """
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return None
    numbers = np.frombuffer(bytes(found), dtype="=i4", count=9)
    return int(numbers[0]), int(numbers[1]), int(numbers[3]), int(numbers[4])


def upright(pixels: Pixels, matrix: tuple[int, int, int, int] | None) -> Pixels:
    """Turn and mirror as a matrix of display says.

    Args:
        pixels: (H, W, …).
        matrix: as of `display_matrix`, rounded to the nearest of the eight positions.

    Returns:
        A view, (H, W, …) or (W, H, …).

    >>> clockwise = (0, 65536, -65536, 0)
    >>> upright(np.array([[1, 2], [3, 4]], np.uint8), clockwise).tolist()
    [[3, 1], [4, 2]]
    """
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    across, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels = pixels.swapaxes(0, 1)
        across, down = c, b
    if across < 0:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if down < 0 else pixels
