"""Layers and small networks of PyTorch, with random weights: what people export."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = tuple[int, int, int]
IMAGE: Shape = (3, 12, 12)


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def then(*layers: nn.Module | Callable[[Tensor], Tensor]) -> nn.Sequential:
    return nn.Sequential(*(layer if isinstance(layer, nn.Module) else Apply(layer) for layer in layers))


def conv(inputs: int, outputs: int, size: int = 3, **options: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=options.pop("padding", size // 2), **options)


class Residual(nn.Module):
    """What goes in is added to what comes out."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class SqueezeExcite(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.fewer, self.more = nn.Conv2d(planes, 2, 1), nn.Conv2d(2, planes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.more(F.silu(self.fewer(x.mean((2, 3), keepdim=True)))))


class Attention(nn.Module):
    """Tokens of an image attend to each other."""

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.patches, self.attention = nn.Conv2d(3, width, 4, 4), nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.norm(tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]).mean(1)


class SmallAttention(nn.Module):
    """The same by einsum, with a mask that lets a token see those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 18)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.patches(x).flatten(2).transpose(1, 2)).chunk(3, -1)
        scores = torch.einsum("bid,bjd->bij", q, k) / math.sqrt(6)
        mask = torch.ones(9, 9).tril().bool()
        return torch.einsum("bij,bjd->bid", scores.masked_fill(~mask, -1e4).softmax(-1), v)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.inner = conv(3, 4), conv(4, 8)
        self.up, self.last = nn.ConvTranspose2d(8, 4, 2, 2), conv(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.down(x))
        inner = F.relu(self.inner(F.max_pool2d(first, 2)))
        return torch.sigmoid(self.last(torch.cat([first, self.up(inner)], 1)))


class StandardisedConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = self.weight.mean((1, 2, 3), keepdim=True), self.weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (self.weight - mean) / (deviation + 1e-5), self.bias, padding=1)


class WeightedFusion(nn.Module):
    """Branches are weighted by a softmax of constants."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.a, self.b = nn.Parameter(torch.randn(2)), conv(3, 4), conv(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = F.softmax(F.relu(self.weights), 0)
        return weights[0] * self.a(x) + weights[1] * self.b(x)


class Depthwise(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs), nn.BatchNorm2d(inputs), activation,
            nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), activation,
        )  # fmt: skip


def shuffle(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def generalised_mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x.clamp(min=1e-3).pow(3), x.shape[-1]).pow(1 / 3).flatten(1)


def activation(layer: nn.Module) -> Callable[[], nn.Module]:
    return lambda: then(conv(3, 4), layer)


ACTIVATIONS: Mapping[str, nn.Module] = {
    "relu": nn.ReLU(), "relu6": nn.ReLU6(), "leaky_relu": nn.LeakyReLU(0.1), "prelu": nn.PReLU(4), "elu": nn.ELU(),
    "selu": nn.SELU(), "celu": nn.CELU(0.5), "gelu": nn.GELU(), "gelu_tanh": nn.GELU("tanh"), "silu": nn.SiLU(),
    "mish": nn.Mish(), "softplus": nn.Softplus(), "softsign": nn.Softsign(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(),
    "hardswish": nn.Hardswish(), "hardsigmoid": nn.Hardsigmoid(), "hardtanh": nn.Hardtanh(),
    "logsigmoid": nn.LogSigmoid(), "softmax": nn.Softmax(1), "log_softmax": nn.LogSoftmax(1), "glu": nn.GLU(1),
    "softshrink": nn.Softshrink(0.1), "threshold": nn.Threshold(0.2, 0.0),
}  # fmt: skip

LAYERS: Mapping[str, Callable[[], nn.Module]] = {
    "batch_norm": lambda: then(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU()),
    "instance_norm": lambda: then(conv(3, 4), nn.InstanceNorm2d(4, affine=True)),
    "group_norm": lambda: then(conv(3, 4), nn.GroupNorm(2, 4)),
    "layer_norm": lambda: then(conv(3, 4), nn.LayerNorm([4, 12, 12])),
    "layer_norm_last": lambda: then(conv(3, 4), lambda x: x.permute(0, 2, 3, 1), nn.LayerNorm(4)),
    "local_response_norm": lambda: then(conv(3, 4), nn.LocalResponseNorm(3)),
    "normalize": lambda: then(conv(3, 4), pooled, lambda x: F.normalize(x, dim=1)),
    "rms_norm": lambda: then(conv(3, 4), lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-5)),
    "weight_norm": lambda: then(StandardisedConv(3, 4, 3), nn.ReLU()),
    "max_pool": lambda: then(conv(3, 4), nn.MaxPool2d(3, 2, 1)),
    "max_pool_ceil": lambda: then(conv(3, 4), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "avg_pool": lambda: then(conv(3, 4), nn.AvgPool2d(3, 2, 1)),
    "adaptive_pool": lambda: then(conv(3, 4), nn.AdaptiveAvgPool2d((3, 2))),
    "adaptive_max_pool": lambda: then(conv(3, 4), nn.AdaptiveMaxPool2d(1)),
    "lp_pool": lambda: then(conv(3, 4), nn.ReLU(), nn.LPPool2d(2, 2)),
    "generalised_mean": lambda: then(conv(3, 4), generalised_mean),
    "conv_dilated": lambda: then(conv(3, 4, dilation=2, padding=2), nn.ReLU()),
    "conv_strided_grouped": lambda: then(nn.Conv2d(3, 6, 3, 2, groups=3), nn.ReLU()),
    "conv_reflect": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    "conv_circular": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"),
    "conv_1d": lambda: then(lambda x: x.flatten(2), nn.Conv1d(3, 4, 5, 2), nn.MaxPool1d(2)),
    "conv_transpose": lambda: then(conv(3, 4), nn.ConvTranspose2d(4, 2, 3, 2, 1, 1)),
    "conv_transpose_grouped": lambda: nn.ConvTranspose2d(3, 6, 4, 2, 1, groups=3),
    "pixel_shuffle": lambda: then(conv(3, 8), nn.PixelShuffle(2)),
    "pixel_unshuffle": lambda: then(nn.PixelUnshuffle(2), conv(12, 4)),
    "channel_shuffle": lambda: then(conv(3, 4), shuffle, conv(4, 2)),
    "upsample_nearest": lambda: then(conv(3, 2), nn.Upsample(scale_factor=2)),
    "upsample_bilinear": lambda: then(conv(3, 2), nn.Upsample(scale_factor=2, mode="bilinear")),
    "upsample_corners": lambda: then(conv(3, 2), nn.Upsample(size=(20, 18), mode="bilinear", align_corners=True)),
    "upsample_bicubic": lambda: then(conv(3, 2), nn.Upsample(scale_factor=2, mode="bicubic")),
    "pad_modes": lambda: then(nn.ReflectionPad2d(1), nn.ReplicationPad2d(1), nn.ConstantPad2d(1, 0.5)),
    "roll": lambda: then(conv(3, 4), lambda x: torch.roll(x, (2, -1), (2, 3))),
    "flip": lambda: then(conv(3, 4), lambda x: x.flip(3)),
    "where": lambda: then(conv(3, 4), lambda x: torch.where(x > 0.1, x, 0.1 * x)),
    "clamp_minimum": lambda: then(conv(3, 4), lambda x: torch.minimum(x.clamp(-0.5, 2), x.abs())),
    "argmax": lambda: then(conv(3, 4), lambda x: x.argmax(1).float()),
    "top_k": lambda: then(conv(3, 4), pooled, lambda x: x.topk(2, 1)[0]),
    "cumsum": lambda: then(conv(3, 4), pooled, lambda x: x.cumsum(1)),
    "logsumexp": lambda: then(conv(3, 4), lambda x: x.logsumexp(1)),
    "distance": lambda: then(conv(3, 4), pooled, lambda x: (x[:, None, :] - torch.eye(4)[None]).pow(2).sum(-1).sqrt()),
    "einsum": lambda: then(conv(3, 4), lambda x: torch.einsum("bchw,bdhw->bcd", x, x)),
    "gram": lambda: then(conv(3, 4), lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2)),
    "log_exp": lambda: then(conv(3, 4), lambda x: torch.log(1.5 + x.sigmoid()) + torch.exp(-x.abs())),
    "expand": lambda: then(conv(3, 4), lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1)),
    "index_select": lambda: then(conv(3, 4), lambda x: x[:, torch.tensor([2, 0, 1])]),
    "half": lambda: then(lambda x: x.half().float(), conv(3, 4)),
    "dropout": lambda: then(conv(3, 4), nn.Dropout(0.5)),
    "linear": lambda: then(nn.Flatten(), nn.Linear(432, 5)),
    "bilinear": lambda: then(conv(3, 4), pooled, lambda x: F.bilinear(x, x, torch.ones(2, 4, 4))),
    "lstm": lambda: then(lambda x: x.mean(2).transpose(1, 2), nn.LSTM(3, 4, batch_first=True), lambda x: x[0]),
    "grid_sample": lambda: then(conv(3, 4), lambda x: F.grid_sample(x, torch.zeros(1, 5, 5, 2), align_corners=False)),
}

NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "lenet": lambda: then(
        conv(3, 6, 5), nn.Tanh(), nn.AvgPool2d(2), conv(6, 8), nn.Tanh(), nn.Flatten(), nn.Linear(288, 10)
    ),
    "vgg": lambda: then(conv(3, 8), nn.ReLU(), nn.MaxPool2d(2), conv(8, 8), nn.ReLU(), pooled, nn.Linear(8, 5)),
    "resnet": lambda: then(
        conv(3, 8), Residual(conv(8, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 8)), nn.ReLU(), pooled, nn.Linear(8, 5)
    ),
    "mobilenet": lambda: then(conv(3, 4, stride=2), Depthwise(4, 8, nn.ReLU6()), pooled, nn.Linear(8, 5)),
    "mobilenet_v3": lambda: then(conv(3, 4), nn.Hardswish(), SqueezeExcite(4), pooled, nn.Linear(4, 5)),
    "efficientnet": lambda: then(Depthwise(3, 6, nn.SiLU()), SqueezeExcite(6), pooled, nn.Linear(6, 5)),
    "convnext_block": lambda: then(
        conv(3, 8, 3),
        Residual(
            nn.Conv2d(8, 8, 7, padding=3, groups=8),
            Apply(lambda x: x.permute(0, 2, 3, 1)),
            nn.LayerNorm(8),
            nn.Linear(8, 16),
            nn.GELU(),
            nn.Linear(16, 8),
            Apply(lambda x: x.permute(0, 3, 1, 2)),
        ),
        pooled,
    ),
    "attention": Attention,
    "einsum_attention": SmallAttention,
    "unet": UNet,
    "weighted_fusion": WeightedFusion,
    "embedding": lambda: then(conv(3, 8), nn.PReLU(8), pooled, nn.Linear(8, 6), lambda x: F.normalize(x)),
    "super_resolution": lambda: then(conv(3, 8), nn.ReLU(), conv(8, 12), nn.PixelShuffle(2), nn.Sigmoid()),
}


def modules() -> dict[str, Callable[[], nn.Module]]:
    """All of them, by name; each call makes fresh weights."""
    return {**{name: activation(layer) for name, layer in ACTIVATIONS.items()}, **LAYERS, **NETWORKS}
