"""Random draws as functions of their place: counter-based, equal at both speeds and on every machine (M11.3)."""

from __future__ import annotations

from .kernel import kernel

# Streams: what a draw is for. Numbers are part of every history's meaning; add, never renumber.
RETRY_JITTER, ARRIVAL, EVENT_DELAY, EVENT_CHOICE, DURATION, ATTEMPT_FAILURE, PAYLOAD, INPUT, FAULT_TIME = range(9)
RESULT, BATCH_SIZE, PATIENCE, BREAKDOWN, REPAIR, TWICE, SECOND_DURATION = range(9, 16)

_LOW32 = 0xFFFFFFFF


@kernel
def draw_bits(key: int, stream: int, index: int, attempt: int) -> int:
    """53 random bits for this key, stream and place, by Philox 4x32-10.

    `key` is the instance's random key (64 bits, non-negative), a function of seed, replication and case.
    Source: Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11.
    """
    k0 = key & _LOW32
    k1 = (key >> 32) & _LOW32
    c0 = index & _LOW32
    c1 = (index >> 32) & _LOW32
    c2 = attempt & _LOW32
    c3 = stream & _LOW32
    for _ in range(10):
        # Only low halves count of what is combined: products have 64 bits and no sign in Python, compiled they wrap.
        product0 = c0 * 0xD2511F53
        product1 = c2 * 0xCD9E8D57
        c0 = ((product1 >> 32) ^ c1 ^ k0) & _LOW32
        c1 = product1
        c2 = ((product0 >> 32) ^ c3 ^ k1) & _LOW32
        c3 = product0
        k0 += 0x9E3779B9
        k1 += 0xBB67AE85
    return (c0 << 21) | ((c1 & _LOW32) >> 11)


@kernel
def draw(key: int, stream: int, index: int, attempt: int) -> float:
    """A number in [0, 1) with 53 random bits for this key, stream and place."""
    return draw_bits(key, stream, index, attempt) * 1.1102230246251565e-16


@kernel
def mix_key(seed: int, replication: int, case: int) -> int:
    """The random key of a case: 62 bits drawn at (seed, replication, case)."""
    return (draw_bits(seed, 0x6B6579, case, replication) << 9) ^ draw_bits(seed, 0x6B657A, case, replication)
