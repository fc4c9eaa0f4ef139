// All steps of a recurrent cell. Comes after teams.cu.

// The columns of the weight that the units of a block want in a phase: quad after quad of rows.
template <int P> __device__ void take_weight(const Place &place, const real *__restrict__ weight) {
    Quad *__restrict__ to = place.weight[P];
    constexpr int COLUMNS = Phase<P>::INPUTS * UNITS;
#pragma unroll 8
    for (int i = threadIdx.x; i < ROW * COLUMNS; i += THREADS) {
        const int k = i / COLUMNS, column = i % COLUMNS, unit = place.unit + column % UNITS;
        const long long at = k * (long long)WIDTH + (Phase<P>::OFFSET + column / UNITS) * N + unit;
        ALIKE((real *)(to + k / 4 * COLUMNS + column) + k % 4, k < N && unit < N ? weight[at] : real(0));
    }
}

// All that a thread has to do.
struct Forward {
    const long long steps, batch;
    const Leaves kept, traces;
    real *const ys, *const between, *const driven, *const kept_over, *const fed_trace, *const fed_last;
    Place place;
    // The first sample of the team, and how many it has.
    long long base;
    int there;
    // What comes back, of the first of these samples.
    const real *fed;
    real x[PER][ALL_INPUTS], s[PER][NUMBERS];

    template <int P> __device__ __forceinline__ void phase(const long long t) {
        constexpr int GATES = Phase<P>::INPUTS, OFFSET = Phase<P>::OFFSET;
        product<1, GATES * UNITS>(place, place.weight[P], fed, N, there);
        real *out = P + 1 == PHASES ? ys : between;
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, base, there);
            if (own.is_there) {
                const long long at = t * batch * N + own.at;
                real y, next[NUMBERS], over;
#pragma unroll
                for (int g = 0; g < GATES; g++) {
                    x[p][OFFSET + g] += total<GATES * UNITS>(place, own.sample, g * UNITS + own.local);
                    if (driven)
                        driven[t * batch * WIDTH + own.at_input + (OFFSET + g) * N] = x[p][OFFSET + g];
                }
#pragma unroll
                for (int j = 0; j < MOVING; j++)
                    if (P == 0 && (READS >> j & 1) && kept.at[j])
                        kept.at[j][at] = s[p][j];
                Phase<P>::step(x[p] + OFFSET, s[p], &y, next, &over);
                out[at] = y;
                if (ALONE)
                    place.stage[own.sample * STAGE * 4 + own.unit] = y;
#pragma unroll
                for (int j = 0; j < NUMBERS; j++)
                    s[p][j] = next[j];
                if (P + 1 == PHASES) {
                    if (kept_over)
                        kept_over[at] = over;
                    if (fed_trace)
                        fed_trace[at] = y;
                    if (fed_last && t + 1 == steps)
                        fed_last[own.at] = y;
#pragma unroll
                    for (int j = 0; j < MOVING; j++)
                        if (traces.at[j])
                            traces.at[j][at] = next[j];
                }
            }
        }
        place.meet();
        fed = out + (t * batch + base) * N;
    }
};

extern "C" __launch_bounds__(THREADS, 1) __global__ void forward(const long long steps, const long long batch, const real *xs, const real *weight,
                                                              const real *held, const Leaves first, const real *fed_first, const Leaves last,
                                                              real *fed_last, real *ys, real *between, real *driven, const Leaves kept,
                                                              real *kept_over, const Leaves traces, real *fed_trace, real *device,
                                                              unsigned *meetings) {
    SHARED(real, room);
    const Place place(room, device, meetings);
    take_weight<0>(place, weight);
    if (PHASES == 2)
        take_weight<PHASES - 1>(place, weight);
    Forward all = {steps, batch, kept, traces, ys, between, driven, kept_over, fed_trace, fed_last, place};
    for (all.base = place.team * SAMPLES; all.base < batch; all.base += place.teams * SAMPLES) {
        all.there = SAMPLES < batch - all.base ? SAMPLES : (int)(batch - all.base);
        clear(place);
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, all.base, all.there);
#pragma unroll
            for (int j = 0; j < NUMBERS; j++) {
                const bool is_held = j >= MOVING && j < STATES;
                all.s[p][j] = own.is_there && j < MOVING ? first.at[j][own.at] : real(0);
                if (own.is_there && is_held)
                    all.s[p][j] = held[(j - MOVING) * N + own.unit];
            }
            if (ALONE && own.is_there)
                place.stage[own.sample * STAGE * 4 + own.unit] = fed_first[own.at];
        }
        __syncthreads();
        all.fed = fed_first + all.base * N;
        for (long long t = 0; t < steps; t++) {
            // Asked for before the product is made.
#pragma unroll
            for (int p = 0; p < PER; p++) {
                const Own own(place, p, all.base, all.there);
#pragma unroll
                for (int g = 0; g < ALL_INPUTS; g++)
                    all.x[p][g] = own.is_there ? xs[t * batch * WIDTH + own.at_input + g * N] : real(0);
            }
            all.phase<0>(t);
            if (PHASES == 2)
                all.phase<PHASES - 1>(t);
        }
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, all.base, all.there);
#pragma unroll
            for (int j = 0; j < MOVING; j++)
                if (own.is_there)
                    last.at[j][own.at] = all.s[p][j];
        }
    }
}
