"""Installs the wheel as users do, without constraints, and tests it: ``python -m tests.install.environments``.

One fresh environment for each interpreter that this machine has, of those that ``pyproject.toml`` names, and one of the
oldest dependencies that it allows. An interpreter that is absent is named and skipped. Needs the standard library only.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv" / "install"
MANIFEST = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PREFIX = "Programming Language :: Python :: "
VERSIONS = [line.removeprefix(PREFIX) for line in MANIFEST["classifiers"] if line.startswith(PREFIX)]
EXTRAS = "cnn,faces,sklearn,he,serve"
SUITES = ("smoke.py", "test_crash_after_charge.py")
BARE = "wheel or readme or doctor or absent"
"""What is tested before the extras are there."""
STORED = ROOT / "tests" / "properties" / "test_stored_digests.py"


@dataclass(frozen=True)
class Environment:
    """One installation: an interpreter, what is installed first and with which constraints, and the extras."""

    name: str
    python: str
    extras: str = EXTRAS
    first: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


def interpreter(version: str) -> str | None:
    """The path of CPython ``version``, from PATH, pyenv or uv; None: there is none that runs."""
    found = [shutil.which(f"python{version}")]
    found += sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
    if shutil.which("uv"):
        asked = ["uv", "python", "find", "--offline", "--no-project", version]
        found.append(subprocess.run(asked, capture_output=True, text=True).stdout.strip())
    says = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, found):
        answer = subprocess.run([path, "-c", says], capture_output=True, text=True)  # a shim may lead nowhere
        if answer.stdout.strip() == version:
            return path
    return None


def oldest() -> tuple[str, ...]:
    """The least release of each direct dependency, as constraints."""
    optional = (line for name in EXTRAS.split(",") for line in MANIFEST["optional-dependencies"][name])
    named = (re.match(r"([\w.\[\]-]+)>=([\w.]+)", line) for line in [*MANIFEST["dependencies"], *optional])
    return tuple(f"{match[1]}=={match[2]}" for match in named if match)


def environments(train: bool) -> tuple[list[Environment], list[str]]:
    """What is tested on this machine, and the versions that it lacks; ``train`` where torch is to be installed."""
    paths = {version: interpreter(version) for version in VERSIONS}
    made = [Environment(version, path) for version, path in paths.items() if path]
    if (python := paths["3.11"]) is not None:
        made.append(Environment("3.11-oldest", python, constraints=oldest()))
        if train:  # torch first and exactly: any other spelling brings gigabytes of CUDA
            made.append(Environment("3.11-train", python, "train", first=("torch==2.13.0",)))
    return made, [version for version, path in paths.items() if path is None]


def tested(environment: Environment, wheel: Path) -> bool:
    """Install ``wheel`` alone, test it, add the extras, test again; True where all went well."""
    home = FOLDER / environment.name
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([environment.python, "-m", "venv", home], check=True)
    constraints = home / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in environment.constraints))
    pip = [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--constraint", constraints] if environment.constraints else []
    tests = [home / "bin" / "python", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    smoke, *others = (ROOT / "tests" / "install" / name for name in SUITES)
    for added, suites in (
        (str(wheel), [smoke, "-k", BARE]),
        (f"{wheel}[{environment.extras}]", [smoke, *others, STORED]),
    ):
        print(f"\n{environment.name}: pip install {Path(added).name}", flush=True)
        first = environment.first if added.endswith("]") else ()
        for wanted in filter(None, (first, (added, "pytest", "hypothesis"))):
            if subprocess.run([*pip, *wanted], cwd=FOLDER).returncode:
                return False
        if subprocess.run([*tests, *suites], cwd=ROOT).returncode:
            return False
    return True


def main() -> int:
    """Test every environment and say how each went; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of environments")
    parser.add_argument("--train", action="store_true", help="also the extra train, which installs torch")
    chosen = parser.parse_args()
    made, absent = environments(chosen.train)
    for version in absent:
        print(f"CPython {version}: skipped, this machine has none", flush=True)
    shutil.rmtree(FOLDER / "wheel", ignore_errors=True)
    build = ["wheel", "--quiet", "--no-deps", "--wheel-dir", FOLDER / "wheel", ROOT]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (wheel,) = (FOLDER / "wheel").glob("privis-*.whl")
    wanted = [each for each in made if not chosen.only or each.name in chosen.only]
    outcome = {}
    for environment in wanted:
        start = time.monotonic()
        passed = tested(environment, wheel)
        outcome[environment.name] = passed
        words = "installed and tested" if passed else "FAILED"
        print(f"{environment.name}: {words}, {time.monotonic() - start:.0f} s", flush=True)
    return 0 if outcome and all(outcome.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
