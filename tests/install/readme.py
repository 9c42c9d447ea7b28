"""Runs what the README shows, as it stands: ``python -m tests.install.readme [README.zh-CN.md]``.

To be run by the Python of an environment with Privis and the extras that the blocks need, whose folder of commands is
then on the path. Images stand where the README has the reader's: ``photos/``, ``portrait.jpg``, and ``left/`` and
``right/`` with the halves of them. Blocks that begin with ``make`` are for a clone, and those of ``privis mpc`` are
passed over where the extra ``mpc`` is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```(console|python|toml)\n(.*?)```", re.DOTALL)
PATIENCE = 300.0  # seconds that a server may take until it listens


def images(folder: Path) -> None:
    """Write four images, their halves and a portrait, of smooth noise that no two share."""
    generator = np.random.default_rng(0)
    for name in ("photos", "left", "right"):
        (folder / name).mkdir()
    for number in range(4):
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        image = coarse.resize((128, 96), Image.Resampling.BICUBIC)
        image.save(folder / "photos" / f"{number}.png")
        image.crop((0, 0, 64, 96)).save(folder / "left" / f"{number}.png")
        image.crop((64, 0, 128, 96)).save(folder / "right" / f"{number}.png")
    image.save(folder / "portrait.jpg")


def run(command: str, folder: Path, environment: dict[str, str], servers: list[subprocess.Popen[bytes]]) -> None:
    """Run one line; one that ends in & goes on in the background, and the next waits until it listens."""
    print(f"$ {command}", flush=True)
    if not command.endswith("&"):
        subprocess.run(command, shell=True, cwd=folder, env=environment, check=True)
        return
    servers.append(subprocess.Popen(["sh", "-c", f"exec {command[:-1]}"], cwd=folder, env=environment))
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and servers[-1].poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8443)) == 0:
                return
        time.sleep(0.5)
    raise SystemExit(f"{command}: it never listened")


def main(page: str = "README.md") -> None:
    """Run the blocks of ``page`` in their order; the first that fails ends it."""
    bin_folder = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    servers: list[subprocess.Popen[bytes]] = []
    lines = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images(folder)
        try:
            for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
                if language == "python":
                    subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment, check=True)
                elif language == "toml":
                    (folder / "job.toml").write_text(text)
                elif not text.startswith("make"):
                    if "privis mpc" in text and importlib.util.find_spec("spu") is None:
                        print("privis mpc: passed over, the extra mpc is not installed")
                        continue
                    for line in text.splitlines():
                        run(line.partition("#")[0].strip(), folder, environment, servers)
                        lines += 1
        finally:
            for server in servers:
                server.terminate()
                server.wait()
    print(f"{page}: {lines} commands and the Python block, on CPython {sys.version.split()[0]}, numpy {np.__version__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
