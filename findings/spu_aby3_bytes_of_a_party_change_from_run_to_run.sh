#!/bin/sh
# What a party of SPU's ABY3 sends and receives for the same program and input changes from run to run, up to threefold.
#
# A protocol on shares does not branch on its data, so one expects the traffic of a party to be a constant of the program
# and its shapes: SPU's own cost model has one figure for a truncation, whichever party. But every truncation after a
# fixed-point product, and every bit that becomes a number, draws in public which party helps and which two act (`pivot`
# in libspu/mpc/aby3/arithmetic.cc and conversion.cc), anew in each run. Party 0 receives 800, 2,000 or 2,400 bytes for
# the squares of 100 numbers; all parties together 5,200, always. Products of integers, comparisons and selections have
# constant traffic, and so has SEMI2K. Bytes, messages and bills of one party in one run are no measurement, and a monitor
# or a test that takes a changed length for a changed input is wrong; take the sum of all parties.
#
# spu 0.9.5, jax 0.4.34, numpy 1.26.4, CPython 3.11.
# Privis compares only messages of one length, and attacks lengths on their own: src/privis/attack/transcripts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet spu==0.9.5 'jax[cpu]==0.4.34' numpy==1.26.4
cat >"$folder/traffic.py" <<'PY'
import re
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import spu.api as api
import spu.utils.frontend as frontend
import spu.utils.simulation as simulation
from spu import libspu

RUNS = 40
PROGRAMS = {
    "squares of fixed-point numbers": (lambda v: v * v, np.linspace(-1, 1, 100, dtype=np.float32)),
    "count of positive numbers": (lambda v: (v > 0).sum(), np.linspace(-1, 1, 100, dtype=np.float32)),
    "squares of integers": (lambda v: v * v, np.arange(100, dtype=np.int32)),
    "the positive part": (lambda v: jnp.maximum(v, 0), np.linspace(-1, 1, 100, dtype=np.float32)),
    "squares of fixed-point numbers, SEMI2K": (lambda v: v * v, np.linspace(-1, 1, 100, dtype=np.float32)),
}


def run(name: str, watched: int) -> None:
    """Run a program on the same input again and again; SPU logs the traffic of the first ``watched`` parties."""
    function, values = PROGRAMS[name]
    protocol = libspu.ProtocolKind.SEMI2K if "SEMI2K" in name else libspu.ProtocolKind.ABY3
    configuration = libspu.RuntimeConfig(protocol=protocol, field=libspu.FieldType.FM64, fxp_fraction_bits=18)
    secret = [libspu.Visibility.VIS_SECRET]
    program, _ = frontend.compile(frontend.Kind.JAX, function, (values,), {}, ["x"], secret, lambda outputs: ["y"])
    owner = api.Io(3, configuration)
    for _ in range(RUNS):
        shares = owner.make_shares(values, secret[0])
        everyone = libspu.link.Desc()
        for rank in range(3):
            everyone.add_party(f"party {rank}", f"in memory {rank}")

        def party(rank: int) -> None:
            own = libspu.RuntimeConfig(configuration)
            own.enable_pphlo_profile = rank < watched
            runtime = api.Runtime(libspu.link.create_mem(everyone, rank), own)
            runtime.set_var("x", shares[rank])
            runtime.run(program)

        threads = [simulation.PropagatingThread(target=party, args=(rank,)) for rank in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def seen(name: str, watched: int) -> list[int]:
    """Bytes that the first ``watched`` parties received together, of every run."""
    done = subprocess.run([sys.executable, __file__, name, str(watched)], capture_output=True, text=True, check=True)
    received = [int(found) for found in re.findall(r"Link details:.* recv bytes (\d+)", done.stdout + done.stderr)]
    assert len(received) == watched * RUNS, len(received)
    return sorted({sum(received[at : at + watched]) for at in range(0, len(received), watched)})


if len(sys.argv) > 1:
    run(sys.argv[1], int(sys.argv[2]))
    sys.exit()
as_described = True
for name in PROGRAMS:
    one, together = seen(name, 1), seen(name, 3)
    changes = name in list(PROGRAMS)[:2]
    as_described = as_described and (len(one) > 1) == changes and len(together) == 1
    print(f"{name}: party 0 receives {one} bytes, all together {together}")
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
"$folder/environment/bin/python" "$folder/traffic.py"
