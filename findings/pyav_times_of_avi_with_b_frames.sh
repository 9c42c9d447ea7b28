#!/bin/sh
# PyAV gives the frames of an H.264 AVI in the order in which they are shown, with times that jump back and forth.
#
# AVI stores no presentation times, only packets in the order of decoding. One expects None (as FFmpeg's own demuxer
# says) or rising times. PyAV opens every container with FFmpeg's flag genpts, which makes times up from the packets: of
# a stream with two B frames the third frame shown has the time of the fourth, the fourth that of the second. The pixels
# come in the right order, so who sorts frames by `frame.time`, or looks for "the frame at 0.2 s", gets another one.
# Recordings of cameras in AVI are often of this kind. Without the flag the times are None, and the order of frames counts.
#
# av 18.1.0, numpy 1.26.4, CPython 3.11.
# Privis takes the flag away and uses times of decoding: src/privis/io/video/opened_video.py, tests/io/video.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet av==18.1.0 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import sys

import av
import numpy as np

GENPTS = 1
seen = {}
for between in (0, 2):
    path = f"{sys.argv[1]}/{between}.avi"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.options = "yuv420p", {"bf": str(between), "b-adapt": "0"}
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * number, np.uint8), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(path) as container:
        frames = list(container.decode(video=0))
        times = [round(frame.time, 1) for frame in frames]
        grey = [float(frame.to_ndarray(format="gray").mean()) for frame in frames]
    with av.open(path) as container:
        container.flags &= ~GENPTS
        without = {frame.pts for frame in container.decode(video=0)}
    seen[between] = times == sorted(times), grey == sorted(grey), without
    print(f"{between} B frames: times {times}, pictures in order: {grey == sorted(grey)}, without the flag {without}")
as_described = seen[0] == (True, True, {None}) and seen[2] == (False, True, {None})
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
