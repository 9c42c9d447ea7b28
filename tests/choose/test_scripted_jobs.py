from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from privis.choose.job_description import Concealed, Task
from privis.cli.choose.choose_words import job_from
from tests.choose.choosing import answer

JOBS = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "choose" / "jobs").glob("*.toml"))
SLOW = ("security_5_patrol", "medical_1_second_opinion")  # whose programs are really compiled


def test_there_are_six_of_each_scene_and_every_task_is_asked_for() -> None:
    scenes = Counter(path.stem.split("_")[0] for path in JOBS)
    assert scenes == {"security": 6, "medical": 6, "finance": 6, "retrieval": 6}
    assert {job_from(path, {}, None).task for path in JOBS} == set(Task)


@pytest.mark.parametrize("path", [path for path in JOBS if path.stem not in SLOW], ids=lambda path: path.stem)
def test_every_scripted_job_has_an_admissible_way(path: Path) -> None:
    job = job_from(path, {}, None)
    found = answer(job)
    assert found.recommended is not None
    if Concealed.PERSON in job.hide:
        assert found.recommended.epsilon is not None
    if Concealed.PIXELS in job.hide:
        assert found.recommended.way.under.value != "clear"
