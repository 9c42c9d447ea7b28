"""A call of every command whose paths are all right, and what is no mistake at which of them."""

from __future__ import annotations

FREE = "127.0.0.1:0"
MADE = "made there"
"""What stands for a value that is new for every call."""
BASE: dict[tuple[str, ...], dict[str, str]] = {
    ("extract",): {"INPUT": "{picture}", "-f": "colour", "-o": "{new}.npz"},
    ("extract", "with all"): {
        "INPUT": "{picture}", "-f": "colour", "-o": "{new}.npz", "--release": "laplace", "--unit": "pixels:4",
        "--at": "pixels", "--epsilon": "1", "--ledger": "{budget}", "--key": "{key}", "--report": "{new}.html",
        "--yes": "",
    },
    ("extract", "DICOM"): {
        "INPUT": "{dicom}", "-f": "colour", "-o": "{new}.npz", "--subject-from": "dicom", "--site-key": "{site}",
    },
    ("show",): {"IMAGE": "{picture}", "-f": "lbp", "-o": "{new}.png"},
    ("train",): {
        "TABLE": "{table}", "--labels": "{labels}", "--classes": "a,b", "--epsilon": "3", "-o": "{new}.npz",
        "--steps": "2", "--key": "{key}",
    },
    ("train", "with a ledger"): {
        "TABLE": "{table}", "--labels": "{labels}", "--classes": "a,b", "--epsilon": "3", "-o": "{new}.npz",
        "--steps": "2", "--ledger": "{budget}",
    },
    ("release",): {
        "TABLE": "{exact}", "-o": "{new}.npz", "--release": "privunit", "--epsilon": "1", "--key": "{key}",
        "--record-column": "path", "--ledger": "{budget}", "--subjects": "{labels}", "--subject-column": "label",
        "--yes": "",
    },
    ("predict",): {"TABLE": "{table}", "--head": "{head}", "-o": "{new}.csv"},
    ("info",): {"FILE": "{table}"},
    ("video", "info"): {"FILE": "{video}"},
    ("video", "behaviour", "train"): {"CLIPS": "{video}", "-o": "{new}.model", "--workers": "1"},
    ("video", "behaviour", "train", "under privacy"): {
        "CLIPS": "{video}", "-o": "{new}.model", "--workers": "1", "--epsilon": "3", "--classes": "a,b",
        "--key": "{key}", "--ledger": "{budget}",
    },
    ("video", "behaviour", "predict"): {
        "CLIPS": "{video}", "--model": "{classifier}", "-o": "{new}.csv", "--workers": "1",
    },
    ("video", "behaviour", "evaluate"): {"CLIPS": "{video}", "--model": "{classifier}", "--workers": "1"},
    ("video", "events"): {"FILE": "{video}", "--running": "2", "--places": "{places}", "-o": "{new}.csv"},
    ("video", "anomalies"): {"FILE": "{video}", "-o": "{new}.csv", "--picture": "{new}.png"},
    ("video", "track"): {
        "FILE": "{video}", "-o": "{new}.csv", "--places": "{places}", "--ways": "{new}w.png",
        "--heat-map": "{new}h.png",
        "--timeline": "{new}t.png", "--annotated": "{new}a.mp4",
    },
    ("video", "count"): {"FILE": "{video}", "--window": "1s", "--places": "{places}"},
    ("video", "track", "by a model"): {
        "FILE": "{video}", "-o": "{new}.csv", "--what": "people", "--model": "{windows}",
    },
    ("video", "count", "by a model"): {
        "FILE": "{video}", "--window": "1s", "--what": "people", "--model": "{windows}",
    },
    ("video", "count", "with noise"): {
        "FILE": "{video}", "--window": "1s", "--epsilon": "1", "--key": "{key}", "--ledger": "{days}",
        "--card": "{new}.json",
    },
    ("video", "map", "by a model"): {
        "FILE": "{video}", "-o": "{new}.csv", "--what": "people", "--model": "{windows}",
    },
    ("video", "map"): {
        "FILE": "{video}", "-o": "{new}.csv", "--epsilon": "1", "--key": "{key}", "--ledger": "{days}",
        "--card": "{new}.json",
    },
    ("ledger", "init"): {"PATH": "{new}", "--epsilon": "1", "--delta": "1e-6"},
    ("ledger", "show"): {"PATH": "{budget}"},
    ("ledger", "verify"): {"PATH": "{budget}"},
    ("ledger", "export"): {"PATH": "{budget}", "-o": "{new}.json"},
    ("answers", "init"): {"PATH": "{new}"},
    ("answers", "show"): {"PATH": "{answers}"},
    ("answers", "lift"): {"PATH": "{answers}", "--client": "a", "--gallery": "b", "--reason": "c"},
    ("answers", "verify"): {"PATH": "{answers}"},
    ("mpc", "keygen"): {"FOLDER": "{new}", "--party": "a=localhost:1"},
    ("mpc", "run"): {"JOB": "{job}", "--as": "{submitter}", "--wait": "0"},
    ("mpc", "show"): {"JOB": "{job}"},
    ("mpc", "local"): {
        "JOB": "{job}", "--lend": "hospital.photos={picture}", "--lend ": "clinic.photos={list}", "-o": "{new}"
    },
    ("party",): {"-c": "{party}", "--check": ""},
    ("keygen",): {"PATH": "{new}"},
    ("keygen", "token"): {"PATH": "{new}", "--for": "token", "--name": "bob", "--tokens": "{tokens}"},
    ("keygen", "by a server"): {
        "PATH": "{new}", "--for": "homomorphic", "--server": "https://127.0.0.1:1", "--offer": "hog",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("keygen", "by terms"): {
        "PATH": "{new}", "--for": "homomorphic", "--terms": "{gallery_terms}", "--gallery": "{table}"
    },
    ("serve",): {
        "--tokens": "{tokens}", "--program": "{program}", "--state": "{new}", "--check": "", "--listen": FREE,
    },
    ("serve", "a network"): {
        "--tokens": "{tokens}", "--model": "{network}", "--state": "{new}", "--check": "", "--listen": FREE,
        "--tls-cert": "{certificate}", "--tls-key": "{private}",
    },
    ("serve", "a gallery"): {
        "--tokens": "{tokens}", "--gallery": "{table}", "--scores": "", "--state": "{new}", "--check": "",
        "--listen": FREE,
        "--answers": "scores=2", "--answer-ledger": "{answers}",
    },
    ("serve", "what was prepared"): {
        "--tokens": "{tokens}", "--offer": "{stage}/server", "--state": "{new}", "--check": "", "--listen": FREE,
    },
    ("serve", "a head"): {
        "--tokens": "{tokens}", "-f": "colour", "-p": "bins=2", "-p ": "size=8x8", "--head": "{head}", "--check": "",
        "--state": "{new}", "--listen": FREE, "--answers": "scores=100",
    },
    ("query", "a head"): {
        "INPUT": "{picture}", "--server": "https://127.0.0.1:1", "--keys": "{head_keys}", "--token-file": "{token}",
        "-o": "{new}.npz", "--predictions": "{new}.csv", "--patience": "0",
    },
    ("query",): {
        "INPUT": "{picture}", "--server": "https://127.0.0.1:1", "--keys": "{keys}", "--token-file": "{token}",
        "-o": "{new}.npz", "--authority": "{certificate}", "--patience": "0",
    },
    ("stage", "prepare"): {"FOLDER": "{new}", "--program": "{program}", "-o": "{new}.npz"},
    ("stage", "prepare", "a network"): {"FOLDER": "{new}", "--model": "{network}"},
    ("stage", "keygen"): {"FOLDER": "{new}", "--terms": "{stage}/public/public.key", "--secret": "{new}secret"},
    ("stage", "encrypt"): {"FOLDER": "{new}", "INPUT": "{picture}", "--secret": "{stage}/secret"},
    ("stage", "compute"): {"FOLDER": "{stage}", "--offer": "{stage}/server/offer.npz"},
    ("stage", "decrypt"): {"FOLDER": "{stage}", "--secret": "{stage}/secret", "-o": "{new}.npz"},
    ("stage", "init"): {"DIRECTORY": "{new}", "--workload": "mnist", "--model": "{network}"},
    ("stage", "readme"): {"DIRECTORY": "{stage}"},
    ("stage", "prepare", "in words"): {"--io": "{new}", "--offer": "{offer}"},
    ("stage", "keygen", "in words"): {"--io": "{new}", "--offer": "{offer}"},
    ("stage", "encrypt", "in words"): {
        "--io": "{new}", "INPUT": "{picture}", "--offer": "{offer}", "--secret": "{stage}/secret",
    },
    ("stage", "compute", "in words"): {"--io": "{stage}", "--offer": "{offer}"},
    ("stage", "decrypt", "in words"): {"--io": "{stage}", "--offer": "{offer}", "-o": "{new}.npz"},
    ("face", "enrol"): {"GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann"},
    ("face", "enrol", "by a detector"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--detector": "{network}",
    },
    ("face", "enrol", "by an embedder"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--embedder": "{network}",
    },
    ("face", "enrol", "released"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--release": "privunit", "--epsilon": "1",
        "--key": "{key}", "--ledger": "{budget}",
    },
    ("face", "verify", "released"): {
        "A": "{picture}", "B": "{picture}", "--release": "privunit", "--epsilon": "1", "--key": "{key}",
        "--ledger": "{budget}",
    },
    ("face", "verify"): {"A": "{picture}", "B": "{picture}"},
    ("face", "verify", "by a table"): {"A": "{picture}", "B": "{picture}", "--calibration": "{calibration}"},
    ("face", "verify", "by a detector"): {"A": "{picture}", "B": "{picture}", "--detector": "{network}"},
    ("face", "verify", "a person"): {"A": "{picture}", "--gallery": "{faces}", "--subject": "ann"},
    ("face", "verify", "by an embedder"): {"A": "{picture}", "B": "{picture}", "--embedder": "{network}"},
    ("face", "identify"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--calibration": "{calibration}"},
    ("face", "identify", "by a detector"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--detector": "{network}"},
    ("face", "identify", "by an embedder"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--embedder": "{network}"},
    ("face", "enrol", "under a key"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--template-key": "{template}",
    },
    ("face", "verify", "under a key"): {"A": "{picture}", "B": "{picture}", "--template-key": "{template}"},
    ("face", "identify", "under a key"): {
        "IMAGES": "{picture}", "--gallery": "{faces}", "--template-key": "{template}",
    },
    ("face", "rekey"): {"GALLERY": "{faces}", "--template-key": "{template}", "--new-key": "{new}"},
    ("face", "verify", "by a server"): {
        "A": "{picture}", "B": "https://127.0.0.1:1", "--subject": "ann", "--under": "server", "--keys": "{keys}",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("face", "identify", "by a server"): {
        "IMAGES": "{picture}", "IMAGES ": "https://127.0.0.1:1", "--under": "server", "--keys": "{keys}",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("face", "evaluate"): {"FOLDER|PAIRS": "{pairs}", "--plots": "{new}", "--calibration": "{calibration}"},
    ("face", "evaluate", "to a table"): {"FOLDER|PAIRS": "{people}", "--calibration-output": "{new}.json"},
    ("face", "evaluate", "by a detector"): {"FOLDER|PAIRS": "{pairs}", "--detector": "{network}"},
    ("face", "evaluate", "by an embedder"): {"FOLDER|PAIRS": "{pairs}", "--embedder": "{network}"},
    ("face", "remove"): {"GALLERY": "{faces}", "--subject": "ann"},
    ("face", "list"): {"GALLERY": "{faces}"},
    ("search", "build"): {
        "IMAGES": "{picture}", "-o": "{new}", "--recipe": "colour", "--metadata": "{labels}", "--workers": "1",
    },
    ("search", "build", "by a network"): {
        "IMAGES": "{picture}", "-o": "{new}", "--recipe": "network", "--model": "{network}", "--workers": "1",
    },
    ("search", "build", "by words"): {
        "IMAGES": "{picture}", "-o": "{new}", "--recipe": "patches", "--codebook": "{codebook}", "--workers": "1",
    },
    ("search", "build", "released"): {
        "IMAGES": "{picture}", "-o": "{new}", "--recipe": "colour", "--workers": "1", "--release": "privunit",
        "--epsilon": "1", "--projection": "{directions}", "--key": "{key}", "--ledger": "{budget}",
    },
    ("search", "add", "released"): {
        "IMAGES": "{picture}", "--index": "{released}", "--key": "{key}", "--ledger": "{budget}", "--workers": "1",
    },
    ("search", "query", "released"): {
        "IMAGE": "{picture}", "--index": "{released}", "--release": "privunit", "--epsilon": "1", "--key": "{key}",
        "--ledger": "{budget}",
    },
    ("search", "evaluate", "released"): {
        "FOLDER": "{people}", "--recipe": "colour", "--release": "privunit", "--epsilon": "1",
        "--projection": "{directions}", "--workers": "1",
    },
    ("search", "add"): {"IMAGES": "{picture}", "--index": "{index}", "--metadata": "{labels}", "--workers": "1"},
    ("search", "query"): {"IMAGE": "{picture}", "--index": "{index}", "--draw": "{new}.png"},
    ("search", "erase"): {"--index": "{index}", "--subject": "ann", "--ledger": "{budget}", "-o": "{new}.json"},
    ("search", "info"): {"INDEX": "{index}"},
    ("search", "evaluate"): {
        "FOLDER": "{people}", "--recipe": "network", "--model": "{network}", "--workers": "1",
    },
    ("search", "evaluate", "by words"): {
        "FOLDER": "{people}", "--recipe": "patches", "--codebook": "{codebook}", "--workers": "1",
    },
    ("redact",): {
        "IN": "{picture}", "-o": "{new}", "--text": "", "--review": "{new}check", "--boxes": "{new}.csv",
    },
    ("dicom", "deidentify"): {
        "IN": "{scan}", "-o": "{new}", "--key": "{export_key}", "--review": "{new}check",
    },
    ("detect", "PICTURES…", "by a network"): {
        "IMAGES": "{picture}", "--what": "all", "--model": "{network}", "--names": "{names}", "--workers": "1",
    },
    ("redact", "one stays"): {
        "IN": "{picture}", "-o": "{new}", "--faces": "", "--keep-subject": "ann", "--gallery": "{faces}",
    },
    ("redact", "own boxes"): {"IN": "{picture}", "-o": "{new}", "--regions": "{boxes}"},
    ("redact", "people"): {"IN": "{picture}", "-o": "{new}", "--people": "", "--people-model": "{windows}"},
    ("detect", "PICTURES…"): {"IMAGES": "{picture}", "--model": "{windows}", "-o": "{new}.csv"},
    ("document", "check"): {"ID": "{picture}", "--draw": "{new}.png"},
    ("document", "check", "with a selfie"): {
        "ID": "{picture}", "--selfie": "{picture}", "--calibration": "{calibration}",
    },
    ("document", "check", "by a detector"): {"ID": "{picture}", "--selfie": "{picture}", "--detector": "{network}"},
    ("document", "check", "by an embedder"): {"ID": "{picture}", "--selfie": "{picture}", "--embedder": "{network}"},
    ("detect", "train"): {"IMAGES": "{picture}", "--boxes": "{boxes}", "-o": "{new}.model"},
    ("detect", "count"): {
        "IMAGES": "{picture}", "--boxes": "{boxes}", "-o": "{new}.csv", "--epsilon": "1", "--key": "{key}",
        "--ledger": "{budget}",
    },
    ("detect", "evaluate"): {"IMAGES": "{picture}", "--boxes": "{boxes}", "--model": "{detector}"},
    ("detect", "evaluate", "by a network"): {
        "IMAGES": "{picture}", "--boxes": "{boxes}", "--what": "all", "--model": "{network}", "--names": "{names}",
    },
    ("classify", "train"): {
        "IMAGES": "{picture}", "-o": "{new}.model", "--labels-from": "column:label", "--metadata": "{labels}",
        "--workers": "1",
    },
    ("classify", "train", "of a site"): {
        "IMAGES": "{picture}", "-o": "{new}.model", "--subject-from": "dicom", "--site-key": "{site}", "--workers": "1",
    },
    ("classify", "evaluate", "of a site"): {
        "IMAGES": "{picture}", "--model": "{classifier}", "--subject-from": "dicom", "--site-key": "{site}",
        "--workers": "1",
    },
    ("classify", "train", "under privacy"): {
        "IMAGES": "{picture}", "-o": "{new}.model", "--labels-from": "column:label", "--metadata": "{labels}",
        "--workers": "1", "--epsilon": "3", "--classes": "a,b", "--key": "{key}", "--ledger": "{budget}",
    },
    ("classify", "predict"): {"IMAGES": "{picture}", "--model": "{classifier}", "-o": "{new}.csv", "--workers": "1"},
    ("classify", "evaluate"): {
        "IMAGES": "{picture}", "--model": "{classifier}", "--labels-from": "column:label", "--metadata": "{labels}",
        "--workers": "1",
    },
    ("verify",): {"RECEIPT": "{receipt}", "--index": "{erased}", "--subject": "bob", "--write-salt": "{new}"},
    ("verify", "by a salt"): {"RECEIPT": "{receipt}", "--subject": "bob", "--salt": "{salt}"},
    ("verify", "a table"): {
        "RECEIPT": "{table}", "--card": "{signed}", "--ledger": "{budget}", "--answers": "{answers}",
    },
    ("verify", "its records"): {
        "RECEIPT": "{table}", "--sources": "{list}", "--failures": "{list}", "--differences": "{new}.csv",
    },
    ("card",): {
        "TABLE": "{table}", "--key": "{card_key}", "-o": "{new}.json", "--ledger": "{budget}", "--answers": "{answers}",
        "--attack": "{json}", "--declared": "{declared}",
    },
    ("attack",): {
        "--against": "{table}", "--public": "{people}", "--known": "{people}", "--originals": "{people}",
        "--release-of": "{table}", "--members": "{people}", "--non-members": "{people}",
        "-o": "{new}.html",
    },
    ("attack", "a server"): {
        "--against": "https://127.0.0.1:1", "--keys": "{keys}", "--token-file": "{token}",
        "--authority": "{certificate}",
    },
    ("card", "for the registry"): {
        "TABLE": "{table}", "--format": "dp-registry", "--declared": "{registered}", "-o": "{new}.yaml",
    },
    ("report",): {
        "FILES": "{table}", "-o": "{new}.html", "--ledger": "{budget}", "--answers": "{answers}",
        "--attack": "{attacks}", "--declared": "{declared}",
    },
    ("choose",): {"--job": "{chosen}"},
    ("demo",): {"--output": "{new}"},
}  # fmt: skip
WRITTEN = {
    "-o", "--annotated", "--boxes", "--calibration-output", "--card", "--differences", "--draw", "--heat-map",
    "--new-key", "--output", "--picture", "--plots", "--predictions", "--report", "--review", "--state", "--timeline",
    "--ways", "--write-salt",
}  # fmt: skip
"""Options whose value is written, so that nothing there is right, and a file there is replaced."""
CREATED = {
    ("keygen", "PATH"),
    ("ledger", "PATH"),
    ("answers", "PATH"),
    ("mpc", "FOLDER"),
    ("stage", "FOLDER"),
    ("stage", "DIRECTORY"),
    ("stage", "--io"),
    ("face", "GALLERY"),
}
"""What is made anew: nothing there is right, anything else is refused."""
FINE = {
    ("--key", "a release key"), ("--key", "no such file"), ("--tokens", "no such file"), ("--tokens", "an empty file"),
    ("--secret", "no such file"), ("--answer-ledger", "no such file"), ("--answer-ledger", "an empty file"),
    ("FILE", "a table of features"), ("FILE", "a classifier"), ("FILE", "a list"), ("FOLDER", "a folder"),
    ("DIRECTORY", "a folder"),
    ("--sources", "a table of features"), ("--sources", "a picture"), ("--sources", "a list"),
    ("--failures", "a list"), ("--io", "a folder"), ("FILES", "a table of features"), ("FILES", "a classifier"),
}  # fmt: skip
"""What is no mistake at that place."""
OTHERS = {"-o": (".npz", ".csv", ".json", ".png"), "--report": (".html",)}
