"""The same as `entries`, for functions of `quantiles`: a change of one of them leaves what is kept of the others."""

from __future__ import annotations

from typing import Any

kernel_log: Any = None
kernel_exp: Any = None
kernel_normal_quantile: Any = None
kernel_gamma_quantile: Any = None


def log(x: float) -> float:
    """Natural logarithm."""
    return kernel_log(x)  # type: ignore[no-any-return]


def exp(x: float) -> float:
    """Exponential function."""
    return kernel_exp(x)  # type: ignore[no-any-return]


def normal_quantile(u: float) -> float:
    """The standard normal value below which a share lies."""
    return kernel_normal_quantile(u)  # type: ignore[no-any-return]


def gamma_quantile(shape: float, log_factorial: float, u: float) -> float:
    """The value below which a share of a gamma distribution lies."""
    return kernel_gamma_quantile(shape, log_factorial, u)  # type: ignore[no-any-return]
