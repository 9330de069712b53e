"""Depthwise convolutions trained on a CPU: in single precision, where their gradient in bfloat16 is slower."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anchorpose.lcrnet.movenet import SameConv

_LARGE = 5
"""Kernels of at least that size, and strides of 2, are the slow ones; 3x3 at stride 1 is as fast in bfloat16.

`benchmarks/depthwise.py` has what it is worth."""


def depthwise_in_float32(network: nn.Module) -> None:
    """Take the slow ones of a network's trained depthwise convolutions out of autocast, from now on.

    The network stays the same network: the names and values of its weights do not change. On another device than the
    CPU nothing changes at all.

    Args:
        network: those of its convolutions are meant whose weights require gradients now.
    """
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or module.groups == 1 or module.groups != module.in_channels:
            continue
        slow = module.stride == (2, 2) or module.kernel_size >= (_LARGE, _LARGE)
        if slow and module.weight.requires_grad and type(module) in _PRECISE:
            module.__class__ = _PRECISE[type(module)]


class _InFloat32:
    def forward(self, x: Tensor) -> Tensor:
        if not x.is_cpu:
            return super().forward(x)  # type: ignore[misc]
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())  # type: ignore[misc]


class _Conv(_InFloat32, nn.Conv2d):
    pass


class _SameConv(_InFloat32, SameConv):
    pass


_PRECISE: dict[type[nn.Conv2d], type[nn.Conv2d]] = {nn.Conv2d: _Conv, SameConv: _SameConv}
