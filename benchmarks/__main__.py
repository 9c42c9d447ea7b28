"""``python -m benchmarks``: every benchmark, one after another; those that need absent images say so."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BENCHMARKS = (
    ("extraction", "speed beside OpenCV and scikit-image", None),
    ("noise", "speed of the noise", None),
    ("releases", "speed of directions, codes and noise", None),
    ("private_extraction", "what a release adds to HOG", None),
    ("ledger", "speed of the ledger", None),
    ("answers", "what answers give away, and limits under race and kill", None),
    ("answer_attacks", "answers until half of the templates fall, beside the default limits", DATA),
    ("folder", "speed of a folder run", None),
    ("large_photographs", "12-megapixel JPEGs whole and scaled, and how far apart their features are", None),
    ("cnn", "networks beside onnxruntime", DATA / "weights"),
    ("prepared", "what is kept between calls and processes", None),
    ("denoising", "what denoising and bias correction bring", DATA / "classification"),
    ("mpc", "three parties beside the clear and a hand-written script", None),
    ("mpc_matching", "one query against resident templates", None),
    ("he", "features of encrypted images, predicted and measured", None),
    ("he_kept", "what a program that was seen before saves", DATA / "weights" / "cifar10_fhe_polynomial"),
    ("he_mnist", "encrypted digits beside TenSEAL's tutorial", DATA / "weights" / "mnist_fhe_convnet"),
    ("he_matching", "one encrypted query against plain and encrypted templates, beside TenSEAL", None),
    ("he_decisions", "decisions about encrypted templates, instead of scores", None),
    ("erasure", "erasing from an index: what it costs, and what is found afterwards", None),
    ("crowd_search", "encrypted search in clusters, which a crowd hides", None),
    ("faces", "faces found and recognised in the clear", DATA / "faces"),
    ("dicom_deidentification", "DICOM files without people: required actions, text in pixels, real files", None),
    ("dicom", "DICOM files beside GDCM and windows by hand, and pictures a second", DATA / "medical" / "dicom"),
    ("slides", "tiles of a whole slide beside another reading", DATA),
    ("video", "frames of videos and their times beside PyAV by hand", DATA),
    ("behaviour", "what is unusual, falls and fights in clips, rules on tracks", DATA / "video"),
    ("documents", "portraits, machine-readable zones and kinds of pictures", DATA),
    ("face_matching", "faces compared under encryption and among parties, beside LightPHE and TenSEAL", DATA / "faces"),
    ("mrz_reader", "zones of documents, read in the clear and hidden", DATA / "documents"),
    ("detection", "people by sliding windows, beside OpenCV", DATA / "detection"),
    ("redaction", "faces, plates, zones and text that are painted over, and missed", DATA / "detection"),
    ("video_redaction", "videos and people painted over, and what detectors find in copies", DATA / "detection"),
    ("renewable_templates", "keyed templates of faces: accuracy, unlinkability, inversion", DATA),
    ("heads", "linear models behind features of hidden images", DATA / "medical" / "medical_mnist"),
    ("network_on_shares", "SqueezeNet from ONNX among parties, beside SPU by hand", DATA),
    ("private_classification", "classes of hidden images, and networks that fit encryption", DATA / "medical"),
    ("mpc_training", "joint training beside the same in the clear", DATA / "classification" / "mnist"),
    ("dp_training", "classifiers trained under differential privacy", DATA / "classification"),
    ("dp_networks", "images per second of private training beside Opacus", None),
    ("onnx_detectors", "ONNX detectors beside onnxruntime", DATA),
    ("presence", "noise of counts and sums where a person comes or goes", None),
    ("enrolment", "face templates of several images in one release", DATA),
    ("face_releases", "released face templates beside published figures, at whole-image epsilon", DATA),
    ("released_search", "search in an index of released vectors, at whole-image epsilon", DATA),
    ("utility", "accuracy at the honest whole-image epsilon", None),
    ("matching", "SIFT beside OpenCV on the graffiti sequence", DATA / "local_features" / "graf"),
    ("tracking", "people followed through PETS2009, beside bars and a baseline", DATA / "video"),
    ("surf_graf", "SURF beside mahotas on the graffiti sequence", DATA / "local_features" / "graf"),
)


def main() -> None:
    for name, title, data in BENCHMARKS:
        print(f"\n── {name}: {title}", flush=True)
        if data is not None and not data.exists():
            print("skipped: no shared/data beside the checkout")
            continue
        sys.argv = [name] if data is None else [name, str(data)]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
