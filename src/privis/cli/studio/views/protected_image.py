"""One image under one protection: what is drawn from it, with what noise, and what that guarantees."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis import draw
from privis.cli.parsing import feature_named
from privis.cli.releases import ReleaseWords, placed_release
from privis.cli.studio.catalogue import messages
from privis.cli.studio.rendered_pictures import RenderedPictures
from privis.cli.studio.uploads import Uploads
from privis.cli.studio.views.same_elsewhere import extract_command, python_of
from privis.cli.studio.views.words import said_of
from privis.errors import ParameterError, PrivisError, Problem
from privis.extraction.counts_of_pixels import stated
from privis.extraction.explain import explain
from privis.extraction.extractor import Extractor
from privis.extraction.images import Result, extract
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.identity import identity
from privis.privacy import Release, ReleaseKey
from privis.privacy.ledger.records import record_of_pixels
from privis.privacy.stage import is_on_image
from privis.run.clear import Clear

EPSILONS = (*(float(f"{digits}e{power}") for power in range(-1, 6) for digits in (1, 1.5, 2, 3, 5, 7)), 1e6)
"""Stops of the slider: noise that hides a whole image on its pixels needs the large ones to leave anything."""
EPSILON = 15.0
_MOST_EXACT = 16


@dataclass(frozen=True)
class Asked:
    """What the page asks of one image.

    Args:
        image: key of an upload.
        feature: name of a feature.
        parameters: ``name=value`` each.
        words: of the release.
        under: who computes; what is drawn here is computed in the clear, whoever would.
    """

    image: str
    feature: str
    parameters: tuple[str, ...]
    words: ReleaseWords
    under: str = "clear"

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Asked:
        """Read it from JSON.

        Args:
            body: what the page sent.

        Returns:
            What it asks.

        Raises:
            ParameterError: naming all values of wrong types.
        """
        kinds: dict[str, type | tuple[type, ...]] = {
            "image": str, "feature": str, "under": str, "noise": str, "at": str, "unit": str, "parameters": list,
            "epsilon": (int, float), "delta": (int, float), "clip": (int, float), "block": int, "moves": int,
            "total": int,
        }  # fmt: skip
        given = {name: value for name, value in body.items() if name in kinds and value not in (None, "", [])}
        problems = [
            Problem(name, type(value).__name__, "text, a number or a list of texts, as the page sends it")
            for name, value in given.items()
            if not isinstance(value, kinds[name]) or isinstance(value, bool)
        ]
        parameters = given.get("parameters", [])
        if isinstance(parameters, list) and not all(isinstance(each, str) for each in parameters):
            problems.append(Problem("parameters", "other values", "name=value, a text each"))
        if problems:
            raise ParameterError(*problems)
        release = {name: given[name] for name in given if name not in ("image", "feature", "under", "parameters")}
        return cls(
            given.get("image", ""),
            given.get("feature", "hog"),
            tuple(parameters),
            ReleaseWords(**release),
            given.get("under", "clear"),
        )


class ProtectedImages:
    """Computes what the page shows; keeps exact vectors, so that another epsilon needs nothing but noise.

    Noise comes from a key of this process, as that of a release does; but nothing is released: who sees the page has
    the image.

    Args:
        uploads: the images.
        pictures: what the page fetches.
    """

    def __init__(self, uploads: Uploads, pictures: RenderedPictures) -> None:
        self._uploads, self._pictures, self._key = uploads, pictures, ReleaseKey.generate()
        self._exact: OrderedDict[bytes, tuple[NDArray[np.float32], str]] = OrderedDict()
        self._lock, self._turn = threading.Lock(), 0

    def warm(self) -> None:
        """Compile and load now what the first image would wait for."""
        grey = np.full((64, 64, 3), 128, np.uint8)
        grey[16:48, 16:48] = 160
        feature = feature_named("hog", ())
        words = ReleaseWords("laplace", at="pixels", unit="pixels:16", epsilon=EPSILON, block=4)
        release = placed_release(words, feature, [(*(feature.size or grey.shape[:2]), 3)])
        assert release is not None
        explain(feature, grey.shape, release=release)
        extract(feature, [grey], release=release, key=self._key)
        draw.picture(feature, self._noised_image(feature, release, grey))

    def noised(self, asked: Asked, language: str) -> dict[str, Any]:
        """What another epsilon changes at once: the image with noise, the guarantee in words, command and Python.

        Args:
            asked: image, feature and release.
            language: of `privis.cli.studio.catalogue.LANGUAGES`.

        Returns:
            For JSON; pictures are keys.

        Raises:
            PrivisError: what speaks against it.
        """
        pixels, upload = self._uploads.pixels(asked.image), self._uploads.get(asked.image)
        feature, release = self._chosen(asked, pixels)
        told = explain(feature, pixels.shape, release=release)
        noise = None
        if release is not None and is_on_image(release):
            noise = self._pictures.add(self._noised_image(feature, release, pixels))
        left = None if told.noise is None else not told.noise.leaves_nothing
        unit = None if release is None else release.unit
        return {
            "noised": noise,
            "sentences": said_of(told, unit, messages(language)),
            "leaves_something": left,
            "command": extract_command(upload.name, asked.feature, asked.parameters, asked.words, release, asked.under),
            "python": python_of(upload.name, feature, release, asked.under),
        }

    def seen(self, asked: Asked, language: str) -> dict[str, Any]:
        """Everything about one image under one protection: as `noised`, and the feature, exact and released, drawn.

        Args:
            asked: image, feature and release.
            language: of the sentences.

        Returns:
            For JSON; pictures are keys.

        Raises:
            PrivisError: what speaks against it.
        """
        pixels = self._uploads.pixels(asked.image)
        feature, release = self._chosen(asked, pixels)
        exact, drawn = self._exact_of(asked, feature, pixels)
        found = self.noised(asked, language)
        if release is not None and is_on_image(release):
            self._look_ahead(asked, feature, pixels)
        found |= {"stops": self._stops(asked, feature, pixels)}
        found |= {"image": self._pictures.add(pixels), "drawn": drawn, "components": len(exact), "released": None}
        if release is not None:
            vector = self._result(feature, release, pixels).features[0]
            found["released"] = self._pictures.add(self._released(feature, release, pixels, vector), "PNG")
            found["exact"] = self._pictures.add(draw.columns(exact.astype(np.float64)), "PNG")
            spread = float(np.linalg.norm(exact))
            found["relative_difference"] = float(np.linalg.norm(vector - exact)) / spread if spread else None
        return found

    def attacked(self, asked: Asked, language: str) -> dict[str, Any]:
        """Show what an attacker gets back from what `seen` shows; takes seconds.

        Args:
            asked: image, feature and release.
            language: of the sentences.

        Returns:
            For JSON: the picture's key.

        Raises:
            PrivisError: what speaks against it.
        """
        from privis.cli.studio.views.attacked_image import attacked_picture

        pixels = self._uploads.pixels(asked.image)
        feature, release = self._chosen(asked, pixels)
        vector = self._result(feature, release, pixels).features[0]
        return {"attack": self._pictures.add(attacked_picture(feature, release, pixels, vector), "PNG")}

    def documented(self, asked: Asked, language: str) -> dict[str, Any]:
        """Make the card and the report of what `seen` shows.

        Args:
            asked: image, feature and release.
            language: of the report.

        Returns:
            For JSON: the card, and the report's key.

        Raises:
            PrivisError: what speaks against it.
        """
        from privis.cli.studio.views.card_view import documents_of

        pixels, upload = self._uploads.pixels(asked.image), self._uploads.get(asked.image)
        feature, release = self._chosen(asked, pixels)
        result = self._result(feature, release, pixels)
        card, report = documents_of(result, upload.name, asked.feature, language)
        return {"card": card, "report": self._pictures.keep("text/html", report.encode())}

    def forget(self) -> None:
        """Forget the exact vectors that are kept."""
        with self._lock:
            self._turn += 1
            self._exact.clear()

    def _result(self, feature: Feature, release: Release | None, pixels: NDArray[np.uint8]) -> Result:
        return extract(feature, [pixels], release=release, key=None if release is None else self._key)

    def _stops(self, asked: Asked, feature: Feature, pixels: NDArray[np.uint8]) -> list[float]:
        """Which stops of the slider some noise can keep."""
        if asked.words.noise is None:
            return list(EPSILONS)
        found, shape = [], owner_image_shape(feature, pixels.shape)
        length = len(feature.names(core_shape(feature, shape)))
        for epsilon in EPSILONS:
            with contextlib.suppress(PrivisError):
                words = replace(asked.words, epsilon=epsilon)
                stated(feature, self._chosen(replace(asked, words=words), pixels)[1], shape, length)
                found.append(epsilon)
        return found

    def _look_ahead(self, asked: Asked, feature: Feature, pixels: NDArray[np.uint8]) -> None:
        """Make the tables of noise for the slider's other stops, the nearest first, until something else is asked."""
        with self._lock:
            self._turn += 1
            turn = self._turn

        def make() -> None:
            here = asked.words.epsilon or 0.0
            for epsilon in sorted(EPSILONS, key=lambda each: abs(math.log(each / here))):
                if self._turn != turn:
                    return
                with contextlib.suppress(PrivisError):
                    words = replace(asked.words, epsilon=epsilon)
                    release = self._chosen(replace(asked, words=words), pixels)[1]
                    if release is not None and is_on_image(release):
                        self._noised_image(feature, release, pixels)

        threading.Thread(target=make, daemon=True).start()

    def _chosen(self, asked: Asked, pixels: NDArray[np.uint8]) -> tuple[Feature, Release | None]:
        feature = feature_named(asked.feature, asked.parameters)
        shape = (*feature.size, 3) if feature.size is not None else pixels.shape
        return feature, placed_release(asked.words, feature, [shape])

    def _noised_image(self, feature: Feature, release: Release, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shown = Extractor(feature, Clear(), release, self._key, None).owner_image(pixels)
        stream = self._key.stream(record_of_pixels(pixels), identity(shown), identity((release,), "studio.shown"))
        return np.asarray(release.apply(shown, stream), np.uint8)

    def _released(
        self, feature: Feature, release: Release, pixels: NDArray[np.uint8], vector: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        if is_on_image(release):
            return draw.picture(feature, self._noised_image(feature, release, pixels))
        return draw.columns(vector.astype(np.float64))

    def _exact_of(self, asked: Asked, feature: Feature, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], str]:
        name = identity((feature, record_of_pixels(pixels)), "studio.exact")
        with self._lock:
            if name in self._exact and self._pictures.get(self._exact[name][1]) is not None:
                self._exact.move_to_end(name)
                return self._exact[name]
        made = (
            extract(feature, [pixels]).features[0],
            self._pictures.add(draw.picture(feature, pixels), "PNG"),
        )
        with self._lock:
            self._exact[name] = made
            while len(self._exact) > _MOST_EXACT:
                self._exact.popitem(last=False)
        return made
