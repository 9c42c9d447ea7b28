"""``on_ray``: a feature in a dataset of Ray Data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem
from privis.extraction.pipelines.row_extraction import refuse_far_file, row_extraction
from privis.extraction.pipelines.row_tables import PipelineColumns, TableExtractor, kept_names
from privis.extras import optional_import
from privis.features.feature import Feature
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import DicomReading
from privis.privacy import Ledger, Release
from privis.run.protocol import Executor

if TYPE_CHECKING:
    from ray.data import Dataset


def on_ray(
    dataset: Dataset,
    feature: Feature,
    *,
    image: str = "bytes",
    record: str | None = None,
    subjects: str | None = None,
    keep: Sequence[str] = (),
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: str | os.PathLike[str] | None = None,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
    concurrency: int | tuple[int, int] | None = None,
    batch: int = 64,
    num_cpus: float | None = None,
    memory: int = 600_000_000,
) -> Dataset:
    """Extract ``feature`` from a column of encoded images in a pool of Ray's actors, lazily as all of Ray Data.

    Decoding is that of `privis.extract_folder`, so equal bytes give equal vectors. Every actor prepares the feature
    once and has one thread. A row that cannot be used has its reason in ``error``, and NaN in ``feature``.

    With a ``release`` noise is a function of the key, the image's pixels, its subject if one is named, the release and
    the feature: a block that Ray computes again, or a dataset that is read twice, has equal rows, and the ledger is
    charged for them once, before any noise is drawn. ``record`` names rows in messages; towards noise and ledger an
    image is its content, as everywhere. Noise that hides all images of a person is refused: an engine sees the rows in
    parts, and nobody counts. An image that is given two subjects is not found, either: `privis.extract` refuses it.

    Args:
        dataset: with the bytes of image files in the column ``image``, as ``ray.data.read_binary_files`` and Parquet
            give them; an image that Ray decoded is refused.
        feature: what is extracted; it has a size where the length of its vector would else depend on the image, and
            with a release.
        image: column of encoded images; it does not come out.
        record: column of the images' names, which come out; never a row number, as order may change.
        subjects: column of the people's ids, by the rules of `privis.subjects`.
        keep: further columns that come out as they are.
        under: who computes; None: `Clear`, the only one here.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn; a file only where Ray has one machine.
        key: path of the release key, on every machine; it may begin with an environment variable of the workers.
        max_pixels: of an image.
        bits: depth of samples that are stored in more than 8 bits; None: their type's.
        dicom: windows and overlays of DICOM files.
        concurrency: actors, or fewest and most; None: as many as leave Ray one processor.
        batch: rows that an actor takes at once.
        num_cpus: processors that an actor is given; None: one, and none where Ray has a single one.
        memory: bytes that an actor is given.

    Returns:
        The kept columns, ``feature`` (float32 lists of one length) and ``error`` (text; null: none).

    Raises:
        ParameterError: an option or a column is wrong, or cannot be kept.
        UnsupportedError: another executor.
        MissingExtraError: Ray is not installed.
    """
    with optional_import("ray", "privis.on_ray"):
        import ray
        from ray.data import ActorPoolStrategy, Dataset
    if not isinstance(dataset, Dataset):
        remedy = "ray.data.read_binary_files(folder, include_paths=True) makes one"
        raise ParameterError(Problem("dataset", f"a {type(dataset).__name__}", "a ray.data.Dataset", remedy))
    decoding = Decoding(max_pixels, bits, dicom or DicomReading())
    checked = {"under": under, "release": release, "ledger": ledger, "key": key, "decoding": decoding}
    extraction = row_extraction(feature, subjects=subjects is not None, **checked)
    columns = PipelineColumns(image, record, subjects, kept_names(keep), release is not None)
    present = dataset.columns(fetch_if_missing=False)
    if present is not None:
        columns.check(present)
        dataset = dataset.select_columns(list(columns.needed))
    machines = [node for node in ray.nodes() if node["Alive"]] if ray.is_initialized() else []
    refuse_far_file(ledger, len(machines))
    processors = int(ray.cluster_resources().get("CPU", 1)) if ray.is_initialized() else 1
    each = num_cpus if num_cpus is not None else min(1, processors - 1)
    smallest, most = actors(concurrency, each, processors)
    return dataset.map_batches(
        TableExtractor,
        fn_constructor_args=(extraction, columns),
        batch_format="pyarrow",
        batch_size=batch,
        compute=ActorPoolStrategy(min_size=smallest, max_size=most),
        num_cpus=each,
        memory=memory,
        udf_modifying_row_count=False,
    )


def actors(concurrency: int | tuple[int, int] | None, each: float, processors: int) -> tuple[int, int]:
    """How large the pool of actors is: they keep their processors, and reading needs a whole one beside them.

    Args:
        concurrency: actors, or fewest and most; None: as many as leave a processor.
        each: processors of an actor.
        processors: that Ray has now.

    Returns:
        Fewest and most.

    Raises:
        ParameterError: less than one would be left: without a word, Ray would wait for ever.
    """
    if concurrency is None:
        return 1, max(1, processors - 1)
    smallest, most = concurrency if isinstance(concurrency, tuple) else (concurrency, concurrency)
    if not 1 <= smallest <= most:
        raise ParameterError(
            Problem("concurrency", repr(concurrency), "at least one actor, or fewest and most of them")
        )
    if each and smallest * each > processors - 1:
        got = f"{smallest} actors of {each:g} processors where Ray has {processors}"
        remedy = (
            f"num_cpus={max(0, processors - 1) / smallest:.2g}, or concurrency=(1, {smallest}), which grows with Ray"
        )
        raise ParameterError(Problem("concurrency", got, "one processor left to what reads the images", remedy))
    return smallest, most
