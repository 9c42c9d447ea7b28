#!/bin/sh
# Serialised ciphertexts of the same vector under the same key differ in length, from one encryption to the next.
#
# A CKKS or BFV ciphertext is two polynomials of fixed degree and moduli: by SEAL's manual 2 * N * primes words of 8 bytes,
# here 393,216, whatever is encrypted. `serialize` of TenSEAL and `save` of SEAL compress them with Zstandard, by default;
# residues are random, their spare high bits are not, and the length that is left is drawn anew with each encryption: 50
# encryptions of one vector have about as many lengths, over a range of half a per cent, and of 2 % where a seed stands
# for one polynomial (symmetric keys). They tell nothing of the values. Records of fixed length, offsets worked out from
# the first ciphertext, buffers without room, and tests or monitors that take another length for another input break.
# Without compression (`ComprModeType::none`) the length is constant; TenSEAL 0.3.18 offers no way to ask for it.
#
# tenseal 0.3.18, numpy 1.26.4, CPython 3.11.
# Privis expects no length of a ciphertext, and attacks lengths on their own: src/privis/attack/transcripts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet tenseal==0.3.18 numpy==1.26.4
"$folder/environment/bin/python" - "$folder/ciphertext" <<'PY'
import os
import sys

import tenseal
import tenseal.sealapi as seal

RUNS, DEGREE, BITS = 50, 8192, [60, 40, 40, 60]


def saved(ciphertext) -> int:
    """Bytes of a file of SEAL's."""
    ciphertext.save(sys.argv[1])
    return os.path.getsize(sys.argv[1])


ckks = tenseal.context(tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=BITS)
ckks.global_scale = 2.0**40
bfv = tenseal.context(tenseal.SCHEME_TYPE.BFV, 4096, 1032193)
parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
parameters.set_poly_modulus_degree(DEGREE)
parameters.set_coeff_modulus(seal.CoeffModulus.Create(DEGREE, BITS))
context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
generator, public = seal.KeyGenerator(context), seal.PublicKey()
generator.create_public_key(public)
encryptor, encoded = seal.Encryptor(context, public, generator.secret_key()), seal.Plaintext()
seal.CKKSEncoder(context).encode(1.0, 2.0**40, encoded)


def public_key() -> int:
    """Encrypt with SEAL itself, with a public key."""
    ciphertext = seal.Ciphertext()
    encryptor.encrypt(encoded, ciphertext)
    return saved(ciphertext)


as_described = True
for name, length in {
    "CKKS, TenSEAL": lambda: len(tenseal.ckks_vector(ckks, [1.0] * 100).serialize()),
    "BFV, TenSEAL": lambda: len(tenseal.bfv_vector(bfv, [1] * 100).serialize()),
    "CKKS, SEAL, public key": public_key,
    "CKKS, SEAL, secret key": lambda: saved(encryptor.encrypt_symmetric(encoded)),
}.items():
    lengths = [length() for _ in range(RUNS)]
    as_described = as_described and len(set(lengths)) > RUNS // 4
    print(f"{name}: {len(set(lengths))} lengths of {RUNS} equal vectors, {min(lengths):,} to {max(lengths):,} bytes")
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
