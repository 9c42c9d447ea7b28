"""Commands as users run them, with the processor seconds of all their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def privis(*words: str | Path) -> tuple[Any, float]:
    """What ``privis video`` prints as JSON, and the processor seconds that it took."""
    before = os.times()
    given = [sys.executable, "-m", "privis", "video", *map(str, words), "--json"]
    done = subprocess.run(given, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout), used
