// Loops over the steps of units: everything around what a program calculates. `real`, `bits`, constants and `mul_add` stand above.

#define INLINE static inline __attribute__((always_inline))

struct Stream {
    real *begin;
    // Numbers from one unit to the next, and from one step to the next.
    long unit, step;
};

INLINE real exp2_of_whole(real x) {
    const real shifted = x + ONES, one = 1;
    bits exponent, bias;
    __builtin_memcpy(&exponent, &shifted, sizeof shifted);
    __builtin_memcpy(&bias, &one, sizeof one);
    exponent = (exponent << MANTISSA) + bias;
    real power;
    __builtin_memcpy(&power, &exponent, sizeof exponent);
    return power;
}

INLINE real nearest_whole(real x) { return (x + ONES) - ONES; }

INLINE real at_most(real x, real limit) { return x > limit ? limit : x; }

INLINE real at_least(real x, real limit) { return x < limit ? limit : x; }

// e^r - 1 with r = x - whole ln 2.
INLINE real exp_rest(real x, real whole) {
    const real r = mul_add(whole, -LN_2_LOW, mul_add(whole, -LN_2_HIGH, x));
    return exp_series(r) * r;
}

INLINE real exp_(real x) {
    x = at_most(at_least(x, -EXP_END), EXP_END);
    const real whole = nearest_whole(x * LOG2_E), half = nearest_whole(whole * HALF);
    const real power = exp2_of_whole(half), rest = exp_rest(x, whole);
    return mul_add(power, rest, power) * exp2_of_whole(whole - half);
}

INLINE real phi_1(real x) {
    const real inside = at_most(at_least(x, -EXP_LIMIT), EXP_LIMIT), whole = nearest_whole(inside * LOG2_E);
    const real power = exp2_of_whole(whole), rest = exp_rest(inside, whole);
    const real y = mul_add(power, rest, power - ONE) / x;
    return x == 0 ? ONE : y;
}

INLINE real phi_2(real x) {
    const real y = (phi_1(x) - ONE) / x;
    return abs_(x) < ONE ? phi_2_series(x) : y;
}

INLINE real sigmoid(real x) {
    const real inside = -at_most(abs_(x), EXP_LIMIT), whole = nearest_whole(inside * LOG2_E);
    const real power = exp2_of_whole(whole), rest = exp_rest(inside, whole);
    const real e = mul_add(power, rest, power), above = x < 0 ? e : ONE;
    return above / (ONE + e);
}

INLINE real tanh_(real x) {
    const real inside = at_most(abs_(x), TWENTY) * -TWO, whole = nearest_whole(inside * LOG2_E);
    const real power = exp2_of_whole(whole), rest = exp_rest(inside, whole);
    const real m = mul_add(power, rest, power - ONE), y = m / (m + TWO);
    return x < 0 ? y : -y;
}
