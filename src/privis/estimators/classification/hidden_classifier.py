"""A trained classifier on images that whoever computes does not see: what is hidden, from whom, and what it takes.

The classifier's owner computes, or several parties together; the images' owner learns scores, or the class alone. On
one machine this shows classes, seconds and bytes; what is hidden from whom takes machines of different owners: ``privis
serve --head`` with its clients, and ``privis party``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.estimators.hidden_cost import HiddenCost
from privis.extraction.owner.at_owner import AtOwner
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.program import Input, Program, trace
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC
from privis.run.mpc.shared_weights import SharedWeights
from privis.run.protocol import Executor
from privis.tasks.decisions import Revealed
from privis.tasks.linear_head import Scored


@dataclass(frozen=True, eq=False)
class HiddenClassifier:
    """A classifier that is asked without showing it the images, and without being shown.

    Args:
        model: that is asked.
        under: who computes.
        learn: what the images' owner gets to know: the scores, or the number of the class alone, which parties decide
            on shares, and ciphertexts cannot.
        extracted_by_owner: the images' owner extracts the public feature, and the head alone is computed on hidden
            values.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    model: TrainedClassifier
    under: Executor
    learn: Revealed = Revealed.SCORES
    extracted_by_owner: bool = False

    def __post_init__(self) -> None:
        problems, rule = [], self.model.rule
        if self.learn is Revealed.CLASS:
            if isinstance(self.under, CKKS):
                remedy = "learn scores, or let parties decide: aby3 or cheetah"
                got = "CKKS, under which no maximum is computed: whoever holds the key decrypts the scores"
                problems.append(Problem("HiddenClassifier.learn", got, "parties", remedy))
            if self.model.head is None:
                remedy = "learn scores, or train a head behind an inner layer"
                problems.append(Problem("HiddenClassifier.learn", "a network without a head", "a head", remedy))
            if rule.watched is not None or rule.abstain_below:
                got = "a model that decides by probabilities (a threshold, or abstention)"
                problems.append(Problem("HiddenClassifier.learn", got, "the likeliest class alone", "learn scores"))
        if self.extracted_by_owner and self.model.head is None:
            got = "a network without a head, of which nothing is public"
            problems.append(Problem("HiddenClassifier.extracted_by_owner", got, "a head behind a public feature"))
        refuse(ParameterError, problems)

    @property
    def feature(self) -> Feature:
        """What is run: a feature whose vector is what is learned."""
        head = self.model.head
        if head is None:
            return self.model.feature
        before: Feature = AtOwner(self.model.feature) if self.extracted_by_owner else self.model.feature
        return Scored(before, head, self.learn)

    @property
    def runner(self) -> Executor:
        """Who computes; parties have shares of the head's weights, too."""
        head = self.model.head
        if head is None or not isinstance(self.under, MPC):
            return self.under
        vector = Input((head.components,), -math.inf, math.inf, None)
        own = trace(lambda values: head.traced(values, math.inf, self.learn), vector)
        return SharedWeights(self.under, len(own.nodes))

    def program(self, shape: Sequence[int]) -> Program:
        """Give the program that runs on hidden values.

        Args:
            shape: of an image, (height, width) or (height, width, 3) in pixels.

        Returns:
            The program.

        Raises:
            UnsupportedError: the owner finishes the feature by itself.
        """
        whole = (*(self.feature.size or tuple(shape[:2])), *shape[2:])
        return self.feature.program(core_shape(self.feature, owner_image_shape(self.feature, whole)))

    def check(self, shape: Sequence[int]) -> HiddenCost:
        """Refuse what cannot run, or would tell the model to the images' owner; else say what an image takes.

        Args:
            shape: of an image, in pixels.

        Returns:
            The cost.

        Raises:
            UnsupportedError: naming all reasons.
        """
        program = self.program(shape)
        refuse(UnsupportedError, self.runner.supports(program))
        found = self.runner.cost(program)
        if not isinstance(self.under, CKKS):
            return HiddenCost(found.seconds, found.sent)
        if self.under.compiled(program).spec.tail is not None:
            got = "a program whose end, the model's weights in it, is left to whoever holds the key"
            remedy = "let the owner extract the public feature (--extracted-by owner), or use aby3"
            raise UnsupportedError(Problem("ckks", got, "weights that stay with the model's owner", remedy))
        return HiddenCost(found.seconds, found.sent, self.under.predicted(program).keys)

    def labels(self, found: npt.NDArray[np.floating]) -> tuple[str, ...]:
        """Name the classes of which only the numbers were revealed.

        Args:
            found: numbers of classes, (images, 1).

        Returns:
            A name for each.
        """
        return tuple(self.model.classes[int(number)] for number in np.rint(found[:, 0]))

    def told(self) -> tuple[str, ...]:
        """Say who learns what.

        Returns:
            Sentences.
        """
        owner = "the class of each and nothing else" if self.learn is Revealed.CLASS else "the scores of each"
        warning = "" if self.learn is Revealed.CLASS else ", from many of which a linear model can be worked out"
        feature = " The feature is public: the owner extracts it." if self.extracted_by_owner else ""
        if isinstance(self.under, MPC) and self.model.head is None:
            feature = " The parties see the network: of a model without a head nothing is shared but the images."
        elif isinstance(self.under, MPC):
            feature += " Parties know the feature, and shapes and the largest power of two of the head's weights."
        shape = _sizes(self.model)
        if isinstance(self.under, CKKS):
            who = f"The model's owner computes on ciphertexts: it learns how many images there are{shape}."
        else:
            model = f" ({self.under.preset.model})" if isinstance(self.under, MPC) else ""
            who = f"The parties compute on shares{model}: each learns how many images there are{shape}."
        first = f"The images' owner learns {owner}{warning}; it does not see the model.{feature}"
        here = "Here both sides are this machine: what is hidden from whom takes machines of two owners."
        return first, who, here


def _sizes(model: TrainedClassifier) -> str:
    return "" if model.feature.size is not None else " and their sizes"
