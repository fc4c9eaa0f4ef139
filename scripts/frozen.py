"""Inputs that golden-brian2 and golden-nest feed, and the tests of bd-equations as well: integers that look random, without a generator."""


def hashed(x):
    """32 bits from 32 bits: the finaliser of MurmurHash3, with 16 for all its shifts."""
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        x = ((x ^ (x >> 16)) * factor) % 2**32
    return x ^ (x >> 16)


def noise(step):
    """A level from 0 to 3, another one every 10 steps."""
    return 3.0 * (hashed(step // 10 + 1) % 101) / 100.0
