"""Bob and carol train one network on digits that neither shows the other; alice has it read hers.

Everybody is played from this process by processes of this machine; on three machines each runs ``privis party``.
"""

import numpy as np
from sklearn.datasets import load_digits

from privis.joint.statistics import Committee
from privis.joint.training import Labelled, Network, Training, fit, label, score
from privis.run.mpc.runtime.local_parties import LocalParties


def main() -> None:
    digits, classes = map(np.asarray, load_digits(return_X_y=True))  # 1,797 images of 8 x 8 pixels, 17 grey levels
    images = (digits * 15).astype(np.uint8)
    bob, carol = (Labelled.of_bytes(images[i:1400:2], classes[i:1400:2]) for i in (0, 1))
    alice = Labelled.of_bytes(images[1400:], classes[1400:])

    network = Network((64, 32, 10))  # Linear(64, 32), ReLU, Linear(32, 10); for MNIST: Network((784, 128, 10))
    training = Training(
        network,
        owners=(("bob", 700), ("carol", 700)),
        committee=Committee(("alice", "bob", "carol")),
        batch=100,
        rates=((0.5,), (0.5,)),
    )
    with LocalParties(training.committee.preset, training.fixed_point) as parties:
        fit(training, parties.run, {"bob": bob, "carol": carol})  # reveals nothing: the model stays in shares
        result = score(training, parties.run, "alice", alice)  # reveals these two numbers, to alice
        labels = label(training, parties.run, "alice", alice.images[:100])  # reveals 100 labels, to alice
    assert result.accuracy > 0.75 and (labels == alice.classes[:100]).mean() > 0.75


if __name__ == "__main__":
    main()
