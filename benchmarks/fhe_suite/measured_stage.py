"""Run a stage and write what it took as JSON: ``python measured_stage.py FILE SCRIPT [WORD …]``.

A process of its own, because the peak memory that a system tells of a child is at least that of who started it.
"""

import json
import os
import subprocess
import sys
import time


def main() -> int:
    told, *command = sys.argv[1:]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with open(told, "w", encoding="ascii") as file:
        processor = used.ru_utime + used.ru_stime
        json.dump({"wall": time.perf_counter() - start, "processor": processor, "memory": used.ru_maxrss * 1024}, file)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


if __name__ == "__main__":
    raise SystemExit(main())
