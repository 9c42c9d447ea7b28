"""The reader of machine-readable zones: trained by ``privis train``, and measured in the clear, under HE and MPC.

``python -m benchmarks.mrz_reader train [FONTS] [-o FOLDER] [--lines N]`` renders lines of random characters with the
OCR-B fonts in FONTS, cuts them into characters as lines of documents are, writes ``FOLDER/characters.parquet``, and
runs ``privis train --public``, which writes ``FOLDER/mrz_characters.npz``: the file that Privis comes with.

``python -m benchmarks.mrz_reader [DATA] [--zones N] [--under ckks,aby3,cheetah] [--characters N]`` prints every figure
beside its bar: at least 99 % of the characters of rendered pages and 95 % of those of specimens; the same characters
under HE at no more than 0.1 s each, and under MPC; zones on specimens, none on receipts and photographs; and of zones
that are spoilt in ten ways, from hardly to beyond reading, not one wrong line that is called right.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.mrz_pages import CLASSES, CORRUPTIONS, FACES, corrupted, glyphs, made_up_zone, rendered
from privis.extraction.documents.character_reader import CharacterReader
from privis.extraction.documents.zone_reader import ZoneReader
from privis.io import tables
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC
from privis.run.mpc.protocols import MPCProtocol
from privis.run.protocol import Executor
from privis.tasks.documents import ALPHABET, CheckDigits, lines_of, locate_zone, zone_of_probabilities

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FONTS = "documents/ocrb_font"
PAGES = ("OCRB", "OCR-B_10_BT")
BARS = {"pages": 0.99, "specimens": 0.95, "ckks": 0.1}
EXECUTORS = {
    "ckks": CKKS,
    "aby3": MPC,
    "cheetah": lambda: MPC(protocol=MPCProtocol.CHEETAH),
}

Glyphs = NDArray[np.uint8]


def seconds() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def train(fonts: Path, folder: Path, lines: int, epochs: int, hidden: int) -> Path:
    """Render, write the table, and train by the product's own command."""
    start = seconds()
    pictures, numbers = glyphs(fonts, lines, seed=1)
    folder.mkdir(parents=True, exist_ok=True)
    table, head = folder / "characters.parquet", folder / "mrz_characters.npz"
    vectors = pictures.reshape(len(pictures), -1).astype(np.float32) / np.float32(255)
    places = [f"{CLASSES[number]}/{place:06d}" for place, number in enumerate(numbers)]
    names = [f"pixel_{place}" for place in range(vectors.shape[1])]
    tables.write(table, places, [vectors], names=names, metadata={})
    print(f"{len(vectors):,} characters of {lines:,} lines in {table}, {seconds() - start:.0f} processor s", flush=True)
    words = ["--labels-from", "folder", "--classes", ",".join(CLASSES), "--public"]
    words += ["--hidden", str(hidden), "--epochs", str(epochs), "-o", str(head)]
    print("privis train", table, *words, flush=True)
    subprocess.run([sys.executable, "-m", "privis", "train", str(table), *words], check=True)
    return head


@dataclass
class Read:
    """How well characters were read."""

    right: int = 0
    count: int = 0
    doubtful: int = 0
    glyphs: list[Glyphs] = field(default_factory=list)

    def add(self, reader: CharacterReader, pictures: Glyphs, text: str) -> NDArray[np.float64]:
        """Read the characters of a line, and count those that are as in ``text``."""
        beliefs = reader(pictures)
        self.right += sum(ALPHABET[best] == true for best, true in zip(beliefs.argmax(1), text, strict=False))
        self.count += len(text)
        self.doubtful += int((beliefs.max(1) < 0.98).sum())
        self.glyphs.append(pictures)
        return beliefs


def pages(data: Path, reader: CharacterReader) -> Iterator[tuple[str, Read]]:
    folder = data / "documents" / "mrz_ocrb_pages"
    texts = (folder / "eng.MRZ.eval.training_text").read_text().split()
    for font in PAGES:
        read = Read()
        for line, text in zip(lines_of(_grey(folder / f"eng.{font}.exp0.tif"), None), texts, strict=True):
            read.add(reader, line.glyphs, text)
        yield font, read


def specimens(data: Path, reader: CharacterReader) -> Iterator[tuple[str, Read, CheckDigits | None]]:
    folder = data / "documents" / "mrz_specimens"
    for row in (folder / "mrz_text.tsv").read_text().splitlines()[1:]:
        name, _, *lines = row.split("\t")
        texts = [line for line in lines if line]
        found = locate_zone(_grey(folder / name))
        read = Read(count=0 if found else sum(map(len, texts)))
        if found is None:
            yield name, read, None
            continue
        beliefs = [read.add(reader, line.glyphs, text) for line, text in zip(found.lines, texts, strict=True)]
        yield name, read, zone_of_probabilities(beliefs).check_digits


def _grey(path: Path) -> NDArray[np.uint8]:
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert found is not None, path
    return np.asarray(found, np.uint8)


def spoilt_zones(fonts: Path, reader: CharacterReader, zones: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Zones that are spoilt in ten ways, and what is said of them; ``wrong`` are wrong lines that are called right."""
    generator = np.random.default_rng(seed)
    found: dict[str, Counter[str]] = {kind: Counter() for kind in CORRUPTIONS}
    for number in range(zones):
        kind, counts = CORRUPTIONS[number % len(CORRUPTIONS)], found[CORRUPTIONS[number % len(CORRUPTIONS)]]
        lines = made_up_zone(generator)
        tall = float(np.exp(generator.uniform(np.log(10), np.log(30))))
        picture = corrupted(
            rendered(lines, fonts / FACES[0], tall, generator, plain=True), kind, float(generator.uniform()), generator
        )
        counts["zones"] += 1
        counts["lines"] += len(lines)
        cut = lines_of(picture)
        if [len(line.glyphs) for line in cut] != [len(line) for line in lines]:
            counts["not cut"] += 1
            continue
        zone = zone_of_probabilities([reader(line.glyphs) for line in cut])
        counts[zone.check_digits.value] += 1
        wrong = [pair for pair in zip(lines, zone.lines, strict=True) if pair[0] != pair[1]]
        if wrong and zone.check_digits is not CheckDigits.UNSURE:
            counts["wrong"] += 1
            print(f"  {kind}, called {zone.check_digits.value}: {wrong}", flush=True)
    return found


def hidden(name: str, under: Executor, pictures: Glyphs, clear: NDArray[np.float64]) -> str:
    """The same characters under ``under``, and what one costs after the first page."""
    with_keys = CharacterReader(under=under)
    try:
        start = time.monotonic()
        first = with_keys(pictures)
        ready, start, used = time.monotonic() - start, time.monotonic(), seconds()
        found = with_keys(pictures)
        took = (time.monotonic() - start) / len(pictures)
    finally:
        with_keys.close()
    used = (seconds() - used) / len(pictures)
    same = int((found.argmax(1) == clear.argmax(1)).sum())
    bar = f" (bar {BARS[name]:g})" if name in BARS else ""
    return (
        f"{name:8} {same} of {len(pictures)} characters as in the clear (bar all), probabilities off by "
        f"{max(np.abs(found - clear).max(), np.abs(first - clear).max()):.1e}, {took:.3f} s{bar} a character, "
        f"first page {ready:.1f} s; processor s with parties that ended, first page included, {used:.3f}"
    )


def measure(data: Path, zones: int, under: list[str], characters: int, photographs: int) -> None:
    reader, start = CharacterReader(), seconds()
    every: list[Glyphs] = []
    for font, read in pages(data, reader):
        share = read.right / read.count
        print(f"page {font:12} {read.right} of {read.count} characters, {share:.2%} (bar 99 %), {read.doubtful} doubts")
        every += read.glyphs
    right = count = 0
    for name, read, said in specimens(data, reader):
        if name != "nomrz.jpg":
            print(f"specimen {name:8} {read.right} of {read.count} characters, check digits {said}")
        else:
            print(f"specimen {name:8} zone {'found' if read.glyphs else 'none'} (bar none)")
        right, count = right + read.right, count + read.count
        every += read.glyphs
    print(f"specimens {right} of {count} characters, {right / count:.2%} (bar 95 %)")
    print(f"{seconds() - start:.1f} processor s", flush=True)
    _found_zones(data, photographs)
    spoilt = spoilt_zones(data / FONTS, reader, zones)
    for kind, counts in spoilt.items():
        print(f"spoilt by {kind:8}", ", ".join(f"{count} {word}" for word, count in counts.items()))
    total = sum(spoilt.values(), Counter())
    print(f"spoilt in all {dict(total)}: wrong and called right {total['wrong']} (bar 0)", flush=True)
    pictures = np.concatenate(every)[:characters]
    clear = reader(pictures)
    for name in under:
        print(hidden(name, EXECUTORS[name](), pictures, clear), flush=True)


def _found_zones(data: Path, photographs: int) -> None:
    reader, start = ZoneReader(), seconds()
    ids = sorted(each for each in (data / "documents" / "id_specimens").iterdir() if each.suffix != ".txt")
    zones = [reader(path) for path in ids]
    said = Counter(zone.zone.check_digits.value for zone in zones if zone)
    print(f"zones on {sum(map(bool, zones))} of {len(ids)} specimens (bar 20 of 25), {dict(said)}")
    receipts = sorted((data / "documents" / "receipts_sroie").glob("*.jpg"))
    others = sorted(each for each in data.rglob("*.jpg") if "documents" not in each.parts)
    chosen = np.random.default_rng(0).permutation(len(others))[:photographs]
    for name, paths in (("receipts", receipts), ("photographs", [others[place] for place in chosen])):
        false = [path.name for path in paths if reader(path) is not None]
        print(f"zones on {len(false)} of {len(paths)} {name} (bar 0) {' '.join(false)}")
    print(f"{seconds() - start:.1f} processor s", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["train"]:
        parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_reader train", description=__doc__)
        parser.add_argument("fonts", nargs="?", type=Path, default=DATA / FONTS)
        parser.add_argument("-o", "--output", type=Path)
        parser.add_argument("--lines", type=int, default=3000)
        parser.add_argument("--epochs", type=int, default=10)
        parser.add_argument("--hidden", type=int, default=64)
        words = parser.parse_args(sys.argv[2:])
        folder = words.output or Path(tempfile.mkdtemp(prefix="mrz_reader_"))
        train(words.fonts, folder, words.lines, words.epochs, words.hidden)
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_reader", description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--zones", type=int, default=1000)
    parser.add_argument("--under", default="ckks,aby3,cheetah")
    parser.add_argument("--characters", type=int, default=88)
    parser.add_argument("--photographs", type=int, default=300)
    words = parser.parse_args()
    under = [name for name in words.under.split(",") if name]
    measure(words.data, words.zones, under, words.characters, words.photographs)


if __name__ == "__main__":
    main()
