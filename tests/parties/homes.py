"""What the three members of attacked jobs have, each in a folder that is its own secret, and the jobs they are sent."""

import dataclasses

import numpy as np

from privis import Budget, FileLedger, Per, ReleaseKey
from privis.parties.job.policy import Policy, Rule
from privis.parties.job.specification import specification_from
from privis.parties.job.task import LocalData

PARTIES = ("alice", "bob", "carol")
RULE = Rule(("analyst",), ("statistics", "train", "extract"), PARTIES, ("rows", "more", "ward"))
RELEASE = {"corpus": "wards", "epsilon": 2.0, "delta": 1e-6, "clip": 1.0}


def document(**changes):
    """A job file as it comes over the wire."""
    inputs = {"one": {"owner": "alice", "lends": "rows"}, "two": {"owner": "bob", "lends": "rows"}}
    base = {"name": "job", "task": "statistics", "parties": list(PARTIES), "inputs": inputs}
    options, receivers = {"statistic": "mean", "bound": 1.0}, {"result": ["carol"]}
    return {**base, "options": options, "receivers": receivers, **changes}


def specified(**changes):
    return specification_from(document(**changes), "job")


def released(**changes):
    return {"options": {"statistic": "sum"}, "release": {**RELEASE, **changes}}


class Homes:
    """What the three members have, each in a folder that is its own secret."""

    def __init__(self, folder):
        self.folder = folder
        self.members = {name: {"policy": Policy((RULE,))} for name in PARTIES}
        for index, name in enumerate(PARTIES):
            (folder / name).mkdir()
            ReleaseKey.generate().save(folder / name / "release.key")
            self.members[name] |= {"release_key": folder / name / "release.key", "inputs": {}}
            self.lend(name, "rows", np.full((3 + index, 4), 0.25 * (index + 1)))

    def lend(self, member, name, rows, **stated):
        """An npz file under its own name, with a ledger of the member."""
        path, ledger = self.folder / member / f"{name}-secret-path.npz", self.folder / member / "ledger"
        np.savez(path, features=rows, label=np.arange(len(rows)) % 2, patient=np.zeros(len(rows), int))
        if not ledger.exists():
            FileLedger.create(ledger, Budget(5.0, 1e-5, Per.CORPUS))
        self.members[member]["inputs"][name] = LocalData(name, arrays=path, ledger=ledger, **stated)

    def allow(self, **changes):
        for member in self.members.values():
            member["policy"] = Policy((dataclasses.replace(RULE, **changes),))

    def spent(self, member):
        return FileLedger(self.folder / member / "ledger").spent().charges


def check_told(ending, homes, *secrets):
    """Nobody but its owner hears of files, columns or numbers of a member."""
    for secret in (str(homes.folder), "secret-path", *secrets):
        assert secret not in ending.all_told + "\n".join(ending.said), ending.told


def changed(kind, path, value, to=None):
    """A lie about one thing, to one hearer or to all."""

    def lie(said, hearer, body):
        if said != kind or (to is not None and hearer != to):
            return body
        place = body = {**body}
        for key in path[:-1]:
            place[key] = {**place[key]}
            place = place[key]
        place[path[-1]] = value
        return body

    return lie
