"""Many byte strings, looked for in one pass over any bytes.

Every run of 16 bytes holds a word of 8 bytes that begins at a multiple of 8. So only such words of the data are looked
up, in two tables of hashes and then among all words of the patterns; what is found is compared byte by byte. A run
counts only where its bytes tell something: zeros and numbers that repeat, as constant or sparse vectors have them, are
everywhere and prove nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from privis.stores.erasure.written_forms import Pattern

RUN = 16
"""Bytes in a row that are looked for."""
_PIECE = 24
_WORD, _NEW, _SHORT_NEW, _WHOLE_NEW, _SAME = 8, 6, 4, 3, 64
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


@dataclass(frozen=True)
class Found:
    """Where something was found.

    Args:
        pattern: index of the pattern.
        start: in it, of the run.
    """

    pattern: int
    start: int


@dataclass(frozen=True, eq=False)
class BytePatterns:
    """Patterns that are looked for together.

    Args:
        patterns: all of them.
        untold: (form, row) of which no pattern holds bytes that tell something.
        longest: bytes that have to be seen together.
    """

    patterns: tuple[Pattern, ...]
    untold: frozenset[tuple[str, int]]
    longest: int
    _bytes: NDArray[np.uint8] = field(repr=False)
    _starts: NDArray[np.int64] = field(repr=False)
    _telling: NDArray[np.bool_] = field(repr=False)
    _words: NDArray[np.uint64] = field(repr=False)
    _offsets: NDArray[np.int64] = field(repr=False)
    _tables: tuple[NDArray[np.bool_], ...] = field(repr=False)
    _shift: np.uint64 = field(repr=False)
    _shifts: range = field(repr=False)

    @classmethod
    def of(cls, given: Iterable[Pattern]) -> BytePatterns:
        """Prepare patterns so that all are looked for in one pass.

        Args:
            given: they may be short, zero or equal.

        Returns:
            The patterns, ready to be looked for.
        """
        patterns = tuple(given)
        lengths = np.array([len(each.content) for each in patterns], np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths + RUN)])
        joined = np.frombuffer(b"".join(each.content + bytes(RUN) for each in patterns) + bytes(RUN), np.uint8)
        owners = np.repeat(np.arange(len(patterns), dtype=np.int32), lengths + RUN)
        left = starts[owners] + lengths[owners] - np.arange(len(owners))  # bytes of the pattern from each place on
        whole = np.array([_is_whole(each) for each in patterns], bool)
        telling = (_windows(_new(joined), RUN)[: len(owners)] >= _NEW) & (left >= RUN)
        near = np.convolve(telling, np.ones(_WORD + 1, np.int8))[: len(owners)] > 0 if len(owners) else telling
        places = np.flatnonzero(near & ~whole[owners] & (left >= _WORD))
        aligned = np.zeros((len(patterns), _WORD), bool)  # a run is found wherever it lies only by words at all eight
        aligned[owners[places], (places - starts[owners[places]]) % _WORD] = True
        complete = [len(each.content) for each, entire in zip(patterns, whole.tolist(), strict=True) if entire]
        step = _step(min((length for length in complete if length >= _WORD), default=2 * _WORD))
        ends, told = _whole_words(patterns, whole, starts, joined, step)
        told |= aligned.all(1)
        chosen = np.concatenate([places, ends])
        words = _all_words(joined)[chosen]
        order = np.argsort(words, kind="stable")
        bits = int(np.clip(int(16 * max(1, len(words))).bit_length(), 14, 26))
        shift = np.uint64(64 - bits)
        tables = tuple(np.zeros(1 << bits, bool) for _ in _FACTORS)
        for table, factor in zip(tables, _FACTORS, strict=True):
            table[(words * factor) >> shift] = True
        good = {(each.form, each.row) for each, sure in zip(patterns, told.tolist(), strict=True) if sure}
        untold = frozenset((each.form, each.row) for each in patterns) - good
        shifts = range(0, _WORD, step)
        longest = max([2 * RUN, *complete])
        return cls(
            patterns, untold, longest, joined, starts, telling, words[order], chosen[order], tables, shift, shifts
        )  # fmt: skip

    def search(self, data: bytes | memoryview | NDArray[np.uint8]) -> set[Found]:
        """Look for all patterns.

        Args:
            data: the bytes.

        Returns:
            What was found: a run of each pattern by its place in the pattern.
        """
        held = np.frombuffer(data, np.uint8)
        found: set[Found] = set()
        for shift in self._shifts if len(self._words) else ():
            words = np.frombuffer(held[shift : shift + (len(held) - shift) // _WORD * _WORD].tobytes(), "<u8")
            hits = np.flatnonzero(self._tables[0][(words * _FACTORS[0]) >> self._shift])
            hits = hits[self._tables[1][(words[hits] * _FACTORS[1]) >> self._shift]]
            hits = hits[~_amid_zeros(words, hits)]
            found |= self._compared(held, hits * _WORD + shift, words[hits])
        return found

    @functools.cached_property
    def _in_parts(self) -> NDArray[np.bool_]:
        return np.array([not _is_whole(each) for each in self.patterns], bool)

    def _compared(self, data: NDArray[np.uint8], places: NDArray[np.int64], words: NDArray[np.uint64]) -> set[Found]:
        first = np.searchsorted(self._words, words)
        found: set[Found] = set()
        for more in range(_SAME):
            index = first + more
            fits = index < len(self._words)
            fits[fits] = self._words[index[fits]] == words[fits]
            if not fits.any():
                break
            first, places, words = first[fits], places[fits], words[fits]
            found |= self._runs(data, places, self._offsets[first + more])
        return found

    def _runs(self, data: NDArray[np.uint8], places: NDArray[np.int64], offsets: NDArray[np.int64]) -> set[Found]:
        """Those of equal words in which a run that tells something, or a whole pattern, is equal."""
        owners = np.searchsorted(self._starts, offsets, "right") - 1
        found: set[Found] = set()
        parts = self._in_parts[owners]
        for place, offset, owner in zip(places[~parts], offsets[~parts], owners[~parts], strict=True):
            content, begin = self.patterns[owner].content, int(place - (offset - self._starts[owner]))
            if begin >= 0 and data[begin : begin + len(content)].tobytes() == content:
                found.add(Found(int(owner), 0))
        places, offsets, owners = places[parts], offsets[parts], owners[parts]
        around = np.arange(-_WORD, RUN)
        for begin in range(0, len(places), 1 << 16):
            here = slice(begin, begin + (1 << 16))
            at, of = places[here, None] + around, offsets[here, None] + around
            inside = (at >= 0) & (at < len(data)) & (of >= 0)
            equal = inside & (data[np.clip(at, 0, len(data) - 1)] == self._bytes[np.clip(of, 0, len(self._bytes) - 1)])
            lengths = np.cumsum(np.pad(equal, ((0, 0), (1, 0))), axis=1)
            runs = lengths[:, RUN:] - lengths[:, :-RUN] == RUN
            begins = of[:, : runs.shape[1]]
            runs &= self._telling[np.clip(begins, 0, len(self._telling) - 1)] & (begins >= 0)
            row, column = runs.any(1), runs.argmax(1)
            starts = begins[row, column[row]] - self._starts[owners[here][row]]
            pairs = np.unique(np.stack([owners[here][row], starts]), axis=1)
            found |= {Found(int(owner), int(start)) for owner, start in pairs.T}
        return found

    def run_of(self, found: Found) -> Pattern:
        """Give the bytes that were found.

        Args:
            found: of these patterns.

        Returns:
            A pattern of them alone.
        """
        each = self.patterns[found.pattern]
        if _is_whole(each):
            return each
        return Pattern(each.form, each.row, each.content[found.start : found.start + RUN], whole=True)


def _is_whole(pattern: Pattern) -> bool:
    return pattern.whole or len(pattern.content) < RUN


def pieces_of(pattern: Pattern) -> Iterator[Pattern]:
    """Cut a pattern to the two pieces of each half that tell most: who copied all of it copied these.

    Args:
        pattern: of any length.

    Yields:
        Pieces of 24 bytes, or the pattern where it is not much longer.
    """
    if _is_whole(pattern) or len(pattern.content) < 4 * _PIECE:
        yield pattern
        return
    counts = _windows(_new(np.frombuffer(pattern.content, np.uint8)), _PIECE)
    middle = len(counts) // 2
    for begin in (int(counts[:middle].argmax()), middle + int(counts[middle:].argmax())):
        yield Pattern(pattern.form, pattern.row, pattern.content[begin : begin + _PIECE])


def _new(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each byte is neither zero nor the one 1, 2, 4 or 8 before it."""
    new = data != 0
    for back in (1, 2, 4, 8):
        new[back:] &= data[back:] != data[:-back]
    return new


def _windows(values: NDArray[np.bool_], length: int) -> NDArray[np.int32]:
    """How many are true of the ``length`` from each place on; fewer places at the end."""
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.int32)])
    counts: NDArray[np.int32] = sums[length:] - sums[:-length]
    return counts


def _all_words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The word that begins at each byte."""
    words = np.zeros(len(data), np.uint64)
    for shift in range(_WORD):
        part = data[shift : shift + (len(data) - shift) // _WORD * _WORD]
        words[shift : shift + len(part) : _WORD] = np.frombuffer(part.tobytes(), "<u8")
    return words


def _amid_zeros(words: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a word and both beside it are zero, as in empty pages: no run that tells something has such a word."""
    zero = words[places] == 0
    inside = places[zero]
    inside = np.clip(inside, 1, max(1, len(words) - 2))  # at the ends one of three is the word itself, or beyond
    zero[zero] = (words[inside - 1] == 0) & (words[np.minimum(inside + 1, len(words) - 1)] == 0)
    return zero & (places > 0) & (places < len(words) - 1)


def _step(length: int) -> int:
    """Steps at which words of the data are looked up so that one of them lies in any ``length`` bytes."""
    return next(step for step in (8, 4, 2, 1) if length >= _WORD + step - 1)


def _whole_words(
    patterns: tuple[Pattern, ...],
    whole: NDArray[np.bool_],
    starts: NDArray[np.int64],
    joined: NDArray[np.uint8],
    step: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Words by which whole patterns are found, their last ones; and which of the patterns can be found at all."""
    chosen, told = [], np.zeros(len(patterns), bool)
    for place in np.flatnonzero(whole).tolist():
        length, start = len(patterns[place].content), int(starts[place])
        new = int(_new(joined[start : start + length]).sum())
        if length >= _WORD and new >= (_WHOLE_NEW if patterns[place].whole else _SHORT_NEW):
            last = length - _WORD
            chosen += [start + offset for offset in range(last - step + 1, last + 1)]
            told[place] = True
    return np.array(chosen, np.int64), told


def blocks_of(data: Iterator[bytes], overlap: int) -> Iterator[bytes]:
    """Join each block with the end of the one before it, so that nothing is lost between two.

    Args:
        data: blocks in their order.
        overlap: bytes that are given twice.

    Yields:
        Blocks.
    """
    before = b""
    for block in data:
        yield before + block
        before = (before + block)[-overlap:]
