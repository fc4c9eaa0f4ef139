// What is around a program. `real`, `bits`, `VECTOR` (the bytes of a vector), `V`, `splat`, `mul_add`, `sqrt_` and constants stand above.
//
// Vectors are written out, for a compiler that has to find them does not find all.

#define INLINE static inline __attribute__((always_inline))

typedef bits B __attribute__((vector_size(VECTOR)));
typedef real Unaligned __attribute__((vector_size(VECTOR), aligned(sizeof(real)), may_alias));

// Numbers of a vector.
static const long N = VECTOR / sizeof(real);

struct Stream {
    real *begin;
    // Numbers from one unit to the next, and from one step to the next.
    long unit, step;
};

// Functions for which there is no formula here.
struct Calls {
    const void *functions;
    real (*function)(const void *functions, long which, real x);
    real (*power)(real x, real exponent);
};

INLINE V read(const real *from) { return (V)*(const Unaligned *)from; }

INLINE void write(real *to, V numbers) { *(Unaligned *)to = (Unaligned)numbers; }

INLINE V function(const Calls *calls, long which, V x) {
    V y;
    for (long l = 0; l < N; l++) y[l] = calls->function(calls->functions, which, x[l]);
    return y;
}

INLINE V power(const Calls *calls, V x, real exponent) {
    V y;
    for (long l = 0; l < N; l++) y[l] = calls->power(x[l], exponent);
    return y;
}

INLINE V abs_(V x) { return (V)((B)x & ~(B)splat(MINUS_ZERO)); }

INLINE V exp2_of_whole(V x) { return (V)(((B)(x + splat(ONES)) << MANTISSA) + (B)splat(ONE)); }

INLINE V nearest_whole(V x) { return (x + splat(ONES)) - splat(ONES); }

INLINE V at_most(V x, V limit) { return x > limit ? limit : x; }

INLINE V at_least(V x, V limit) { return x < limit ? limit : x; }

// e^r - 1 with r = x - whole ln 2.
INLINE V exp_rest(V x, V whole) {
    const V r = mul_add(whole, splat(-LN_2_LOW), mul_add(whole, splat(-LN_2_HIGH), x));
    return exp_series(r) * r;
}

INLINE V exp_(V x) {
    x = at_most(at_least(x, splat(-EXP_END)), splat(EXP_END));
    const V whole = nearest_whole(x * splat(LOG2_E)), half = nearest_whole(whole * splat(HALF));
    const V power = exp2_of_whole(half), rest = exp_rest(x, whole);
    return mul_add(power, rest, power) * exp2_of_whole(whole - half);
}

INLINE V phi_1(V x) {
    const V inside = at_most(at_least(x, splat(-EXP_LIMIT)), splat(EXP_LIMIT));
    const V whole = nearest_whole(inside * splat(LOG2_E)), power = exp2_of_whole(whole);
    const V y = mul_add(power, exp_rest(inside, whole), power - splat(ONE)) / x;
    return x == splat(0) ? splat(ONE) : y;
}

INLINE V phi_2(V x) {
    const V y = (phi_1(x) - splat(ONE)) / x, series = phi_2_series(x);
    return abs_(x) < splat(ONE) ? series : y;
}

INLINE V sigmoid(V x) {
    const V inside = -at_most(abs_(x), splat(EXP_LIMIT));
    const V whole = nearest_whole(inside * splat(LOG2_E)), power = exp2_of_whole(whole);
    const V e = mul_add(power, exp_rest(inside, whole), power), above = x < splat(0) ? e : splat(ONE);
    return above / (splat(ONE) + e);
}

INLINE V tanh_(V x) {
    const V inside = at_most(abs_(x), splat(TWENTY)) * splat(-TWO);
    const V whole = nearest_whole(inside * splat(LOG2_E)), power = exp2_of_whole(whole);
    const V m = mul_add(power, exp_rest(inside, whole), power - splat(ONE)), y = m / (m + splat(TWO));
    return x < splat(0) ? y : -y;
}
