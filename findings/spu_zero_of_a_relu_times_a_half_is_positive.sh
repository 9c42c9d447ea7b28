#!/bin/sh
# On SPU's shares half of the zeros of a ReLU are positive once they were multiplied by a half.
#
# max(v, 0) of a negative number is 0, and opened it is 0. Times 0.5 one expects 0 again, of any rounding: 0 * 0.5 is exact
# in fixed point. The truncation after a product works on shares and adds a last bit with some probability: under ABY3
# about half of 1,000 zeros come out as 2**-18, and `> 0` says yes for as many. Which ones is drawn anew in every run.
# Sparsity, "nothing was detected" and counts of active units cannot be read off such values; a threshold above the last
# bit can.
#
# spu 0.9.5, jax 0.4.34, numpy 1.26.4, CPython 3.11.
# Privis compares with 2**-12 there: src/privis/tasks/detection/hidden_windows.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet spu==0.9.5 'jax[cpu]==0.4.34' numpy==1.26.4
"$folder/environment/bin/python" - 2>/dev/null <<'PY'
import sys

import jax.numpy as jnp
import numpy as np
import spu.utils.simulation as simulation
from spu import libspu

configuration = libspu.RuntimeConfig(
    protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64, fxp_fraction_bits=18
)
parties = simulation.Simulator(3, configuration)
negative = -np.arange(1, 1001, dtype=np.float32)
relu = np.asarray(simulation.sim_jax(parties, lambda v: jnp.maximum(v, 0))(negative))
half = np.asarray(simulation.sim_jax(parties, lambda v: jnp.maximum(v, 0) * 0.5)(negative))
above = np.asarray(simulation.sim_jax(parties, lambda v: (jnp.maximum(v, 0) * 0.5 > 0).astype(jnp.int32))(negative))
print(f"max(v, 0): {np.unique(relu).tolist()}; times 0.5: {np.unique(half).tolist()}, {(half != 0).sum()} of 1,000 not 0;")
print(f"max(v, 0) * 0.5 > 0 for {above.sum()} of 1,000 negative numbers")
as_described = not relu.any() and 300 < (half == 2.0**-18).sum() < 700 and 300 < above.sum() < 700
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
