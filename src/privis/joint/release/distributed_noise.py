"""Differentially private sums over owners, whose noise is made of shares that no single party knows the sum of.

Every noise party draws a share of integer noise from its own key; the owners' integers
(`privis.privacy.releases.partial_sums`) and the noise shares are secret-shared and added inside the ring, and only the
noisy total is revealed. It is the same object as in the clear: the same integers, grid, sensitivity and `Guarantee`.

Whom it holds against. ``colluding`` noise parties may pool their keys; h = n - colluding of n shares stay unknown.
The total is then x + S + (what they know), S the sum of the h unknown shares, so the guarantee is that of x + S.
Towards whoever knows no share at all it holds as well: adding independent noise is post-processing.

- The default is colluding = n - 1: each share alone is the noise of the release in the clear, and the guarantee holds
  even towards all other noise parties together. The price is the variance, n times that of the clear. (A protocol
  that tolerates one corrupt party opens everything to two: ABY3 needs no more than colluding = 1, at 3/2 of the
  variance instead of 3.)
- Fewer, with Gaussian noise only: each share has scale s = sigma / sqrt(h). The variance is n / h of the clear.
  `privis.joint.release.noise_shares` proves that the h unknown shares are together as good as one of scale sigma.
  Discrete Laplace noise has no such theorem (its fractional shares are negative binomial, for which there are no tables
  here), so it has the default only.

When noise repeats. A party's share is a keyed function of the release's id, which hashes all that is agreed, every
noise party's key fingerprint, and from every owner a keyed tag of its integers. So the same release of the same images
with the same keys is the same release, noise included, and costs nothing more; if any owner's images change, every
party's noise does. Without the tags, a party who keeps its noise while another owner's images change would let the
difference of two totals show that change exactly. A tag is an HMAC under its owner's key: it tells whether the content
is the same as before, and nothing else.

Whose budget. Every owner keeps a ledger per corpus of its own. An image is with one owner, so each release spends its
whole epsilon at every owner (parallel composition: nobody's images pay twice, and nobody pays less because others take
part). `ReleasePlan.charge` comes before any noise is drawn; when one owner's ledger refuses nothing is sampled, and
what others were charged stays with the release's id: repeating it later is free for them. The same image at two owners
counts twice, so its subject is a person with several images: use ``Person(k)``.

Parties are semi-honest: they draw the noise that they should, and owners share what they tagged.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.identity import identity
from privis.joint.release.aggregate_integers import (
    JointAggregate,
    coordinates,
    largest_integer,
    released_values,
    shared_sensitivity,
)
from privis.joint.release.noise_shares import MOST_SHARES, SMALLEST_SHARE, largest_share, share_variance
from privis.joint.release.owner_contributions import Contribution, JointResult
from privis.joint.statistics.sums import Committee, Integers, owner_problems, source, sum_job, total_of, who_learns
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.budget import Per
from privis.privacy.ledger.file import FileLedger
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.releases.corpus import CorpusUnit
from privis.privacy.releases.noise import draw_noise
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.releases.windows import WindowCountRelease
from privis.privacy.sampling.release_key import ReleaseKey
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import Dataset, Person, PersonDay, WholeImage
from privis.run.mpc.job import Job
from privis.validation import whole_number

IDENTIFIER = "privis.joint release/2"


@dataclass(frozen=True)
class ReleasePlan:
    """All that owners, noise parties and receivers agree on before a release; see the module for what it guarantees.

    With a release for ``Person(k)``, a person's images at different owners are counted nowhere, so each owner uses at
    most k // owners of them; ``disjoint`` promises that nobody is at two owners, each then uses k, and the guarantee
    names the promise.

    Args:
        release: sum, mean or histogram over vectors of ``components``, or people in as many windows.
        corpus: names what is released, in every ledger.
        components: of a vector.
        owners: names of those who bring vectors.
        receivers: names of those who learn the result.
        committee: the compute parties and their protocol.
        noise_parties: add a noise share each; None: the committee.
        colluding: noise parties that may pool what they know; None: all but one.
        most_images: of one owner, a public bound.
        disjoint: promise that nobody is at two owners.

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import MeanRelease
    >>> plan = ReleasePlan(MeanRelease(Gaussian(1.0, 1e-6), 1.0), "ward 7", 128, ("north", "south"), ("north", "south"))
    >>> plan.guarantee == plan.release.guarantee((128,)), round(plan.variance / plan.clear_variance)
    (True, 3)
    """

    release: JointAggregate
    corpus: str
    components: int
    owners: tuple[str, ...]
    receivers: tuple[str, ...]
    committee: Committee = field(default_factory=Committee)
    noise_parties: tuple[str, ...] | None = None
    colluding: int | None = None
    most_images: int = 1 << 20
    disjoint: bool = False

    def __post_init__(self) -> None:
        for name in ("owners", "receivers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        noise_parties = self.committee.members if self.noise_parties is None else tuple(self.noise_parties)
        colluding = len(noise_parties) - 1 if self.colluding is None else self.colluding
        object.__setattr__(self, "noise_parties", noise_parties)
        object.__setattr__(self, "colluding", colluding)
        refuse(ParameterError, _problems(self))

    @property
    def drawing(self) -> tuple[str, ...]:
        """Parties that draw a noise share, in rank order."""
        assert self.noise_parties is not None
        return self.noise_parties

    @property
    def unknown(self) -> int:
        """How many noise shares stay unknown to whoever colludes."""
        assert self.colluding is not None
        return len(self.drawing) - self.colluding

    @property
    def coordinates(self) -> int:
        """Integers that are added and get noise."""
        return coordinates(self.release, self.components)

    @property
    def share_scale(self) -> float:
        """Scale of one noise share in grid steps."""
        if self.unknown == 1:
            return self.release.guarantee((self.components,)).scale
        sensitivity = self._shared(self.release.unit)
        return max(SMALLEST_SHARE, self.release.noise.scale(sensitivity) / math.sqrt(self.unknown) * (1 + 2**-50))

    @property
    def guarantee(self) -> Guarantee:
        """What the revealed total guarantees towards whoever knows ``colluding`` of the noise shares."""
        clear = replace(self.release.guarantee((self.components,)), promises=self._promises)
        if self.unknown == 1:
            return clear
        scale = self.share_scale * math.sqrt(self.unknown)
        whole = (clear.epsilon, clear.delta)
        if isinstance(self.release, WindowCountRelease):
            whole = (clear.whole_image_epsilon, clear.whole_image_delta)
        elif not isinstance(self.release.unit, WholeImage):
            whole = self.release.noise.privacy(scale, self._shared(WholeImage()))
        return replace(clear, scale=scale, whole_image_epsilon=whole[0], whole_image_delta=whole[1])

    @property
    def _promises(self) -> tuple[str, ...]:
        """Who is at two owners is nothing that an owner sees."""
        alone = len(self.owners) < 2 or not isinstance(self.release.unit, Person | PersonDay)
        stated = self.release.guarantee((self.components,)).promises
        return stated if alone or not self.disjoint else (*stated, "nobody is at two of the owners")

    @property
    def variance(self) -> float:
        """Variance of the noise of one revealed integer, in squared grid steps, for who knows none of it."""
        return len(self.drawing) * share_variance(self.release.noise.name, self.share_scale)

    @property
    def clear_variance(self) -> float:
        """Variance of one release in the clear by somebody whom all owners trust."""
        return share_variance(self.release.noise.name, self.release.guarantee((self.components,)).scale)

    @property
    def most_per_owner(self) -> int | None:
        """Images of one person that an owner may use; None where persons do not matter."""
        unit = self.release.unit
        if not isinstance(unit, Person):
            return None
        return unit.images if self.disjoint else unit.images // len(self.owners)

    def contribution(self, owner: str, partial: Partial, key: ReleaseKey) -> Contribution:
        """Prepare what an owner brings, at the owner.

        Args:
            owner: name of the owner.
            partial: exact sums or counts of its images.
            key: the owner's own.

        Returns:
            What the owner tells and shares.

        Raises:
            ParameterError: the partial is another release's, too large, or uses too much of a person.
        """
        problems = []
        if owner not in self.owners:
            problems.append(Problem("owner", repr(owner), f"one of {', '.join(self.owners)}"))
        if partial.shape != (self.components,):
            problems.append(Problem("Partial", f"vectors of shape {partial.shape}", f"({self.components},)"))
        if partial.images > self.most_images:
            problems.append(Problem("Partial", f"more than {self.most_images} images", "at most that many"))
        most = self.most_per_owner
        if most is not None and max(partial.subjects.values(), default=0) > most:
            remedy = "choose rows by within_bound first, or pass disjoint=True when nobody is at two owners"
            problems.append(Problem("Partial.subjects", f"more than {most} images of a person", "at most", remedy))
        refuse(ParameterError, problems)
        steps = self.release.steps(partial)
        content = hashlib.sha256(repr((steps, partial.images)).encode()).digest()
        tag = _pseudorandom(key, f"tag: {self.corpus}", content, self.digest)
        images = partial.images if isinstance(self.release.unit, WholeImage) else None
        return Contribution(owner, tag, images, steps)

    def fingerprint(self, key: ReleaseKey) -> str:
        """Tell noise keys apart without giving them away: equal keys have equal fingerprints.

        Args:
            key: of a noise party.

        Returns:
            Hexadecimal digits.
        """
        return _pseudorandom(key, f"fingerprint: {self.corpus}", b"", self.digest)

    def release_id(self, tags: Mapping[str, str], fingerprints: Mapping[str, str]) -> str:
        """Name this release of these contents, as every ledger does.

        Args:
            tags: of the owners, by name.
            fingerprints: of the noise parties' keys, by name.

        Returns:
            Hexadecimal digits of a SHA-256.

        Raises:
            ParameterError: one is missing, or two noise parties have the same key: each would know the other's noise.
        """
        problems = []
        for what, got, expected in (("tags", tags, self.owners), ("fingerprints", fingerprints, self.drawing)):
            if set(got) != set(expected):
                problems.append(Problem(what, f"those of {', '.join(sorted(got))}", f"those of {', '.join(expected)}"))
        if len(set(fingerprints.values())) != len(fingerprints):
            remedy = "every noise party generates its own key and shows it to nobody"
            problems.append(Problem("fingerprints", "two noise parties with one key", "a key for each", remedy))
        refuse(ParameterError, problems)
        agreed = json.dumps([self.digest.hex(), sorted(tags.items()), sorted(fingerprints.items())])
        return hashlib.sha256(agreed.encode()).hexdigest()

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that decides what is released and with which noise; receivers do not."""
        who = (self.release, self.corpus, self.components, sorted(self.owners), self.drawing, self.colluding)
        return identity((IDENTIFIER, *who, self.disjoint))

    def charge(self, ledger: FileLedger, release_id: str) -> None:
        """Charge an owner's ledger, before any noise is drawn.

        Args:
            ledger: of the owner, with a budget per corpus.
            release_id: as `release_id` gives it.

        Raises:
            BudgetError: it would overspend.
            ParameterError: the ledger is per subject, and an aggregate touches every image of the owner.
        """
        if ledger.budget.per is not Per.CORPUS:
            remedy = "make one with Budget(epsilon, delta, per=Per.CORPUS)"
            raise ParameterError(Problem(repr(ledger), "a budget per subject", "a ledger per corpus", remedy))
        ledger.charge(self.corpus, self.guarantee, release_id)

    def noise_share(self, key: ReleaseKey, release_id: str) -> Integers:
        """Draw one noise party's share from its own key, after all owners have charged.

        Args:
            key: of the noise party.
            release_id: as `release_id` gives it.

        Returns:
            Noise in grid steps, int64 (coordinates,).
        """
        purpose = f"noise share, {self.share_scale.hex()}, {self.digest.hex()}"
        stream = key.stream(f"noise: {self.corpus}", release_id.encode(), purpose.encode())
        return draw_noise(self.release.noise, self.share_scale, stream, (self.coordinates,), purpose)

    @property
    def job(self) -> Job:
        """Build the job: every owner's integers and every party's noise are added, and only the total is revealed."""
        largest = largest_integer(self.release, self.most_images)
        summands = {source(owner): (owner, largest) for owner in self.owners}
        most = largest_share(self.release.noise.table(self.share_scale))
        summands |= {noise_source(party): (party, most) for party in self.drawing}
        return sum_job(self.committee, self.coordinates, summands, self.receivers)

    def result(self, revealed: Mapping[str, NDArray[Any]], images: int | None = None) -> JointResult:
        """Read what the job revealed, at a receiver.

        Args:
            revealed: what the job revealed, by variable name.
            images: of all owners together, where their number is public.

        Returns:
            The release.
        """
        values = self.values(total_of(revealed).tolist(), images)
        what = f"the noisy total behind '{self.corpus}'"
        kept = f"at most {self.colluding} of the noise parties {', '.join(self.drawing)} pool their noise"
        sentence = who_learns(what, self.owners, self.receivers)
        return JointResult(values, self.guarantee, f"{sentence} As long as {kept}: {self.guarantee.sentence}")

    def values(self, noisy: list[int], images: int | None) -> NDArray[Any]:
        """Bring noisy integers into the release's own form; post-processing.

        Args:
            noisy: total of contributions and noise shares, in grid steps.
            images: of all owners together, where their number is public.

        Returns:
            As `privis.joint.release.aggregate_integers.released_values`.

        Raises:
            ParameterError: a mean over a public number of images, and the number is missing.
        """
        return released_values(self.release, self.components, noisy, images)

    def _shared(self, unit: CorpusUnit | PersonDay) -> Sensitivity:
        """The sensitivity that pays for the sum of shares; see the module."""
        return shared_sensitivity(self.release, unit, self.components, self.unknown)


def noise_source(party: str) -> str:
    """Name the source of a party's noise share."""
    return f"noise of {party}"


def _pseudorandom(key: ReleaseKey, record: str, content: bytes, purpose: bytes) -> str:
    return key.stream(record, content, purpose).words(0, 2).tobytes().hex()


def _window_problems(plan: ReleasePlan, release: WindowCountRelease) -> list[Problem]:
    """What is wrong with a count of windows: whoever is at several owners has an id at each of them."""
    problems = []
    if plan.components != release.windows:
        problems.append(Problem("components", str(plan.components), f"{release.windows}, one per window"))
    if not plan.disjoint and release.unit.ids < len(plan.owners):
        remedy = "raise ids, or pass disjoint=True when nobody is at two owners"
        expected = f"an id at each of {len(plan.owners)} owners, as in PersonDay(windows, ids={len(plan.owners)})"
        problems.append(Problem("release.unit", repr(release.unit), expected, remedy))
    return problems


def _problems(plan: ReleasePlan) -> list[Problem]:
    problems = owner_problems(plan.owners) + whole_number("components", plan.components)
    problems += whole_number("most_images", plan.most_images)
    if not isinstance(plan.release, JointAggregate):
        expected = "a sum, mean or histogram of a corpus, or people in windows"
        return [*problems, Problem("release", repr(plan.release), expected)]
    if isinstance(plan.release, WindowCountRelease):
        problems += _window_problems(plan, plan.release)
    elif not isinstance(plan.release.unit, WholeImage | Dataset | Person):
        expected = "WholeImage(), Dataset() or Person(images): others are not proved for several owners"
        return [*problems, Problem("release.unit", repr(plan.release.unit), expected)]
    many = len(plan.drawing)
    if not many or len(set(plan.drawing)) != many:
        problems.append(Problem("noise_parties", repr(plan.drawing), "at least one, each named once"))
    elif type(plan.colluding) is not int or not 0 <= plan.colluding < many:
        problems.append(Problem("colluding", repr(plan.colluding), f"an integer from 0 to {many - 1}"))
    elif many > MOST_SHARES:
        problems.append(Problem("noise_parties", str(many), f"at most {MOST_SHARES}"))
    elif plan.unknown > 1 and not isinstance(plan.release.noise, Gaussian):
        remedy = "use Gaussian noise, or leave colluding away: then every share is enough by itself"
        got = f"{plan.colluding} of {many} noise parties with {plan.release.noise.name} noise"
        problems.append(Problem("colluding", got, f"{many - 1}: only sums of Gaussian shares are proved", remedy))
    if not plan.receivers:
        problems.append(Problem("receivers", "nobody", "at least one"))
    if isinstance(plan.release.unit, Person) and plan.owners and not plan.most_per_owner:
        remedy = "raise k, or pass disjoint=True when nobody is at two owners"
        got = f"Person({plan.release.unit.images}) over {len(plan.owners)} owners"
        problems.append(Problem("release.unit", got, "at least one image per person and owner", remedy))
    return problems
