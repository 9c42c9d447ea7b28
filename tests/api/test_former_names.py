"""`privis.former_names`: what earlier versions called it, looked up in a process of its own.

An imported module becomes an attribute of its package, so former modules would change what other tests find there.
Answers for `privis.former_names` and `privis.former_table`.
"""

import subprocess
import sys
from pathlib import Path


def test_former_names_lead_to_present_objects():
    checks = Path(__file__).with_name("former_names.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", str(checks)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-3000:]
