"""Keys of people while a store is open: found by their random numbers, and shown to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

KEY_BYTES = 32
"""Of a key: AES-256."""


class KeyRing:
    """Keys of people as a store read them; a row of each, in the order of the key numbers.

    Args:
        numbers: int64 (keys,), ascending: what sealed rows call their key. They are random and say nothing of a person.
        keys: uint8 (keys, 32).
        subjects: whose each key is.

    >>> ring = KeyRing(np.array([3, 9]), np.zeros((2, 32), np.uint8), ["bob", "ann"])
    >>> ring, ring.places(np.array([9, 4])).tolist(), ring.places_of(["ann", "eve"]).tolist()
    (<KeyRing: 2 keys, secret>, [1, -1], [1, -1])
    """

    __slots__ = ("_keys", "_subjects", "numbers")

    def __init__(self, numbers: NDArray[np.int64], keys: NDArray[np.uint8], subjects: Sequence[str] | pa.Array) -> None:
        self.numbers, self._keys = numbers, keys.tobytes()
        self._subjects = subjects if isinstance(subjects, pa.Array) else pa.array(subjects, pa.string())

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} keys, secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is secret and is never pickled; read it where it is needed")

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find keys by their numbers.

        Args:
            numbers: int64, of any length.

        Returns:
            Row of each; -1 where there is no such key.
        """
        if not len(self):
            return np.full(len(numbers), -1)
        found = np.searchsorted(self.numbers, numbers)
        found[found == len(self)] = 0
        return np.where(self.numbers[found] == numbers, found, -1)

    def places_of(self, subjects: Sequence[str]) -> NDArray[np.int64]:
        """Find keys by the people whose they are.

        Args:
            subjects: ids of people.

        Returns:
            Row of each; -1 for somebody without a key.
        """
        found = pc.index_in(pa.array(subjects, pa.string()), value_set=self._subjects)
        return np.asarray(found.fill_null(-1)).astype(np.int64)

    def subjects(self, places: NDArray[np.int64]) -> list[str]:
        """Say whose keys these are.

        Args:
            places: rows.

        Returns:
            The id of each person.
        """
        names: list[str] = self._subjects.take(pa.array(places)).to_pylist()
        return names

    def cipher(self, place: int) -> AESGCM:
        """Make the cipher of a key.

        Args:
            place: its row.

        Returns:
            AES-256 in Galois/counter mode.
        """
        return AESGCM(self._keys[place * KEY_BYTES : (place + 1) * KEY_BYTES])

    def held(self, places: NDArray[np.int64]) -> tuple[bytes, ...]:
        """Give keys themselves, so that files can be searched for those that were dropped.

        Args:
            places: rows.

        Returns:
            32 bytes each.
        """
        return tuple(self._keys[place * KEY_BYTES : (place + 1) * KEY_BYTES] for place in places.tolist())

    def appended(self, numbers: Sequence[int], keys: Sequence[bytes], subjects: Sequence[str]) -> KeyRing:
        """Add keys that were drawn.

        Args:
            numbers: ascending, each larger than all that are there.
            keys: 32 bytes each.
            subjects: whose each is.

        Returns:
            All keys.
        """
        every = np.concatenate([self.numbers, np.array(numbers, np.int64)])
        held = np.frombuffer(b"".join([self._keys, *keys]), np.uint8).reshape(-1, KEY_BYTES)
        return KeyRing(every, held, pa.concat_arrays([self._subjects, pa.array(subjects, pa.string())]))

    def without(self, numbers: Sequence[int]) -> KeyRing:
        """Leave keys out.

        Args:
            numbers: of those that go.

        Returns:
            The others.
        """
        kept = ~np.isin(self.numbers, np.asarray(numbers, np.int64))
        keys = np.frombuffer(self._keys, np.uint8).reshape(-1, KEY_BYTES)
        return KeyRing(self.numbers[kept], keys[kept], self._subjects.filter(pa.array(kept)))
