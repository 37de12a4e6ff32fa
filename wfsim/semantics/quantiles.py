"""Logarithm, exponential, normal and gamma quantile with the same bits on every machine, and at both speeds.

They are made of IEEE + - x / and square root only: a platform's own `log` may differ in the last bit, and a day in
microseconds shows it.
"""

from __future__ import annotations

import math

from .kernel import kernel

_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_SQRT_HALF = 0.7071067811865476
# Wichura (1988), Algorithm AS 241 (PPND16), Applied Statistics 37(3), 477-484: relative error about 1e-16. Eight
# coefficients above the line of the fraction and eight below it, for the center, the middle and the tail.
_COEFFICIENTS = (
    # center, above
    3.3871328727963666080,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
    # center, below
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
    # middle, above
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
    # middle, below
    1.0,
    2.05319162663775882187,
    1.67638483018380384940,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
    # tail, above
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
    # tail, below
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
)
_CENTER, _MIDDLE, _TAIL = 0, 16, 32


@kernel
def log(x: float) -> float:
    """Natural logarithm of a positive number, within two units in the last place.

    Method: x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m-1)/(m+1)) by its series, whose terms are added
    as in `exp`.
    """
    m, k = math.frexp(x)
    if m < _SQRT_HALF:
        m *= 2.0
        k -= 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    y = z * z
    first = (1.0 / 3.0 + z * (1.0 / 5.0)) + y * (1.0 / 7.0 + z * (1.0 / 9.0))
    second = (1.0 / 11.0 + z * (1.0 / 13.0)) + y * (1.0 / 15.0 + z * (1.0 / 17.0))
    third = (1.0 / 19.0 + z * (1.0 / 21.0)) + y * (1.0 / 23.0)
    series = z * (first + y * y * (second + y * y * third))
    return k * _LN2_HIGH + (2.0 * s + (2.0 * s * series + k * _LN2_LOW))


@kernel
def exp(x: float) -> float:
    """Exponential function, for |x| <= 700.

    Method: x = k ln 2 + r with |r| <= ln(2)/2; exp r by its series, whose terms are added by pairs and fours so that
    they need not wait for each other (Estrin's scheme; Knuth, The Art of Computer Programming 2, section 4.6.4).
    """
    k = math.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    z = r * r
    # 1/n! from n = 2 on; what is left out is below 1e-17.
    first = (1.0 / 2.0 + r * (1.0 / 6.0)) + z * (1.0 / 24.0 + r * (1.0 / 120.0))
    second = (1.0 / 720.0 + r * (1.0 / 5040.0)) + z * (1.0 / 40320.0 + r * (1.0 / 362880.0))
    third = (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) + z * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0))
    fours = z * z
    return math.ldexp(1.0 + (r + z * (first + fours * (second + fours * third))), k)


@kernel
def power(x: float, y: float) -> float:
    """x^y for positive x."""
    return exp(y * log(x))


@kernel
def ratio(first: int, r: float) -> float:
    """A fraction of two polynomials of `r`, whose coefficients begin at `first`."""
    top = 0.0
    bottom = 0.0
    for n in range(7, -1, -1):
        top = top * r + _COEFFICIENTS[first + n]
        bottom = bottom * r + _COEFFICIENTS[first + 8 + n]
    return top / bottom


@kernel
def normal_quantile(u: float) -> float:
    """The standard normal value below which a share `u` lies; u is kept away from 0 and 1 by 2^-54."""
    u = max(u, 2.0**-54)
    q = u - 0.5
    if abs(q) <= 0.425:
        return q * ratio(_CENTER, 0.180625 - q * q)
    r = math.sqrt(-log(u if q < 0.0 else max(1.0 - u, 2.0**-54)))
    value = ratio(_MIDDLE, r - 1.6) if r <= 5.0 else ratio(_TAIL, r - 5.0)
    return -value if q < 0.0 else value


@kernel
def log_gamma(x: float) -> float:
    """Logarithm of the gamma function of a positive number, within some units in the last place of the largest term.

    Method: Stirling's series from 16 on, where its next term is below 1e-17; below that gamma(x) = gamma(x+1) / x.
    """
    product = 1.0
    while x < 16.0:
        product *= x
        x += 1.0
    z = 1.0 / (x * x)
    series = 1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z * (1.0 / 1188.0))))
    return (x - 0.5) * log(x) - x + 0.9189385332046727 + series / x - log(product)


@kernel
def gamma_series(shape: float, x: float) -> float:
    """Sum of x^n / ((shape+1) ... (shape+n)): the lower incomplete gamma function without its front; x < shape + 1."""
    total = 1.0
    term = 1.0
    n = 1.0
    while term > 1e-17 * total:
        term *= x / (shape + n)
        total += term
        n += 1.0
    return total


@kernel
def gamma_fraction(shape: float, x: float) -> float:
    """The upper incomplete gamma function without its front, for x >= shape + 1, by its continued fraction.

    Source: Lentz's algorithm; Press et al. (2007), Numerical Recipes, 3rd ed., section 6.2. No divisor is near 0 here.
    """
    b = x + 1.0 - shape
    c = 1e300
    d = 1.0 / b
    total = d
    n = 1.0
    change = 0.0
    while abs(change - 1.0) > 1e-15:
        a = n * (shape - n)
        b += 2.0
        d = 1.0 / (a * d + b)
        c = b + a / c
        change = c * d
        total *= change
        n += 1.0
    return total


@kernel
def gamma_quantile(shape: float, log_factorial: float, u: float) -> float:
    """The value below which a share `u` of a gamma distribution of scale 1 lies; `log_factorial`: log_gamma(shape+1).

    Method: Newton for log x on the logarithm of the smaller tail, which is concave there, so it cannot go astray. It
    begins with Wilson and Hilferty (1931), PNAS 17, 684-688, or where those do not reach with a bound of the answer.
    Takes three to five steps, each of some ten to a hundred terms, more for a large shape.
    """
    if u <= 0.0:
        return 0.0
    is_lower = u <= 0.5
    wanted = log(u if is_lower else 1.0 - u)
    # The tail is at most x^shape / shape!, so this is not above the answer.
    bound = (log(u) + log_factorial) / shape
    if bound < -690.0:
        return 0.0
    y = bound if is_lower else log(-wanted)
    if shape >= 1.0:
        root = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(u) / (3.0 * math.sqrt(shape))
        if root > 0.3:
            y = log(shape * root * root * root)
    change = 1.0
    while abs(change) > 1e-8:
        x = exp(y)
        front = shape * y - x - log_factorial
        is_below = x < shape + 1.0
        part = gamma_series(shape, x) if is_below else shape * gamma_fraction(shape, x)
        if is_below == is_lower:
            change = (front + log(part) - wanted) * part / shape
        else:
            density = exp(front)
            tail = 1.0 - density * part
            change = (log(tail) - wanted) * tail / (density * shape)
        y += -change if is_lower else change
    return exp(y)
