#!/bin/sh
# With OMP_THREAD_LIMIT=1 PyTorch computes wrong gradients of a convolution with stride 2 and dilation 2, without a word.
#
# OMP_THREAD_LIMIT is OpenMP's own setting for "no more threads than this"; people set it on shared machines. The result
# should hang on it no more than on any other number of threads. But PyTorch still believes in as many threads as there are
# cores, and the gradient of this convolution with respect to its input comes out otherwise than with
# torch.set_num_threads(1); neighbours of it (stride 1, dilation 1 or 4) are right. No warning, no error: an optimiser
# simply goes elsewhere. OMP_NUM_THREADS=1, or set_num_threads to the limit, gives the right gradient.
#
# torch 2.13.0 (CPU), CPython 3.11, at least two cores.
# Privis gives PyTorch no more threads than the limit: src/privis/extras.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet torch==2.13.0 numpy==1.26.4
OMP_THREAD_LIMIT=1 "$folder/environment/bin/python" - <<'PY'
import sys

import torch

torch.set_num_threads(2)


def gradient(stride, dilation):
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(1, 1, 64, 64, generator=generator, requires_grad=True)
    kernels = torch.randn(8, 1, 9, 9, generator=generator)
    torch.nn.functional.conv2d(pictures, kernels, None, stride, 0, dilation).square().sum().backward()
    return pictures.grad


def difference(stride, dilation):
    torch.set_num_threads(2)
    found = gradient(stride, dilation)
    torch.set_num_threads(1)
    right = gradient(stride, dilation)
    return float((found - right).abs().max() / right.abs().max())


found = {(stride, dilation): difference(stride, dilation) for stride in (1, 2) for dilation in (1, 2, 4)}
for (stride, dilation), much in found.items():
    print(f"stride {stride}, dilation {dilation}: largest difference of the gradient {much:.2g} of its largest value")
wrong = [key for key, much in found.items() if not much < 1e-3]
as_described = wrong == [(2, 2)]
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
