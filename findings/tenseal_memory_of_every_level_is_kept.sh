#!/bin/sh
# A program that walks down the levels of CKKS needs the memory of all levels, though it frees every ciphertext.
#
# Ciphertexts shrink with each rescaling, so one would expect a program that holds 100 of them at a time to need the
# memory of 100 at the first level, and to stay there: what is deleted goes back to SEAL's memory pool, which SEAL's
# documentation presents as a way to use allocated memory again. The pool keeps blocks by their exact size, and never
# splits one. A ciphertext of the next level has another size, finds none, and gets new memory; the peak is the sum over
# all levels, here four times what the first level needs, and nothing goes back to the system before the process
# ends. TenSEAL 0.3.18 has no call for pools of one's own. A server sized by its live ciphertexts is killed.
#
# tenseal 0.3.18, numpy 1.26.4, CPython 3.11, Linux.
# Privis predicts memory with what every level keeps: src/privis/run/he/compiler/circuit_cost.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet tenseal==0.3.18 numpy==1.26.4
"$folder/environment/bin/python" - <<'PY'
import gc
import resource
import sys

import tenseal.sealapi as seal

DEGREE, BITS, HELD = 16384, [60, *[40] * 6, 60], 100

parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
parameters.set_poly_modulus_degree(DEGREE)
parameters.set_coeff_modulus(seal.CoeffModulus.Create(DEGREE, BITS))
context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
encryptor = seal.Encryptor(context, seal.KeyGenerator(context).secret_key())
encoder = seal.CKKSEncoder(context)


def resident() -> float:
    """Megabytes that the process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def encrypted(count: int, level) -> list:
    """Ciphertexts at a level."""
    plain, made = seal.Plaintext(), [seal.Ciphertext() for _ in range(count)]
    encoder.encode(1.0, level.parms_id(), 2.0**40, plain)
    for ciphertext in made:
        encryptor.encrypt_symmetric(plain, ciphertext)
    return made


level, taken = context.first_context_data(), []
del encrypted(1, level)[:]
start = resident()
for number in range(len(BITS) - 1):
    held = encrypted(HELD, level)
    live = HELD * 2 * DEGREE * 8 * len(level.parms().coeff_modulus()) / 1e6
    del held
    gc.collect()
    taken.append(resident() - start)
    print(f"level {number}: {live:4.0f} MB of ciphertexts made and deleted, {taken[-1]:4.0f} MB resident")
    level = level.next_context_data()
again = len(encrypted(HELD, context.first_context_data())) and resident() - start
print(f"the first level once more: {again:.0f} MB resident")
as_described = taken == sorted(taken) and taken[-1] > 3 * taken[0] and again < 1.05 * taken[-1]
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
