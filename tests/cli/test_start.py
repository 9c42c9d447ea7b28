"""What the command loads before it knows what it is asked for. Answers for `privis.cli.main`."""

import subprocess
import sys

HEAVY = {"cv2", "numba", "scipy", "sklearn", "pandas", "pyarrow", "PIL", "onnx", "onnxruntime", "tenseal", "jax"}


def test_the_command_starts_without_the_libraries_that_only_some_of_its_work_needs():
    code = "import sys, privis.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
