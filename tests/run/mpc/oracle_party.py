"""Dot products, their largest and a threshold under MPyC (Shamir sharing): a second implementation to agree with.

``python oracle_party.py FOLDER -M3``: reads FOLDER/numbers.npz, party 0 writes FOLDER/found.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from mpyc.runtime import mpc


async def main(folder: Path) -> None:
    await mpc.start()
    secint = mpc.SecInt(48)
    with np.load(folder / "numbers.npz") as numbers:
        templates, query, threshold = numbers["templates"], numbers["query"], int(numbers["threshold"])
    # Party 0 owns the query, party 1 the templates; the others put in numbers that nobody uses.
    mine = query if mpc.pid == 0 else np.zeros_like(query)
    rows = templates if mpc.pid == 1 else np.zeros_like(templates)
    x = mpc.input([secint(int(value)) for value in mine], senders=0)
    flat = mpc.input([secint(int(value)) for value in rows.ravel()], senders=1)
    width = templates.shape[1]
    products = [mpc.in_prod(x, flat[at : at + width]) for at in range(0, len(flat), width)]
    best, largest = mpc.argmax(products)
    above = [product >= threshold for product in products]
    found = {
        "products": [int(value) for value in await mpc.output(products)],
        "best": int(await mpc.output(best)),
        "largest": int(await mpc.output(largest)),
        "above": [int(value) for value in await mpc.output(above)],
        "parties": len(mpc.parties),
    }
    await mpc.shutdown()
    if mpc.pid == 0:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    mpc.run(main(Path(sys.argv[1])))
