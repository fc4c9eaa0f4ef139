// The adjoint of all steps of a recurrent cell. Comes after teams.cu.

// The rows of the weight that belong to the units of a block, turned: quad after quad of columns.
template <int P> __device__ void take_weight(const Place &place, const real *__restrict__ weight) {
    Quad *__restrict__ to = place.weight[P];
    constexpr int COUNT = Phase<P>::INPUTS * ROW;
#pragma unroll 8
    for (int i = threadIdx.x; i < COUNT * UNITS; i += THREADS) {
        const int k = i % COUNT, column = i / COUNT, unit = place.unit + column;
        const long long at = unit * (long long)WIDTH + (Phase<P>::OFFSET + k / ROW) * N + k % ROW;
        ALIKE((real *)(to + k / 4 * UNITS + column) + k % 4, k % ROW < N && unit < N ? weight[at] : real(0));
    }
}

// All that a thread has to do.
struct Backward {
    const long long steps, batch;
    real *const gxs;
    Place place;
    // The first sample of the team, and how many it has.
    long long base;
    int there;
    real x[PER][ALL_INPUTS], s[PER][NUMBERS], over[PER], gy[PER], gs[PER][NUMBERS];

    // What is asked of what came back, by what phase P asked of its inputs at step t.
    template <int P> __device__ __forceinline__ void ask(const long long t) {
        const real *from = gxs + (t * batch + base) * WIDTH + Phase<P>::OFFSET * N;
        product<Phase<P>::INPUTS, UNITS>(place, place.weight[P], from, WIDTH, there);
    }

    template <int P> __device__ __forceinline__ void phase(const long long t, const bool nothing_came_back) {
        constexpr int GATES = Phase<P>::INPUTS, OFFSET = Phase<P>::OFFSET;
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, base, there);
            if (own.is_there) {
                real before[NUMBERS], gx[GATES], gbefore[NUMBERS];
#pragma unroll
                for (int j = 0; j < NUMBERS; j++)
                    before[j] = s[p][j];
                if (P == 1) {
                    // The state that the first phase made is made once more.
                    real y, none;
                    Phase<0>::step(x[p], s[p], &y, before, &none);
                }
                real asked = nothing_came_back ? real(0) : total<UNITS>(place, own.sample, own.local);
                if (P + 1 == PHASES)
                    asked += gy[p];
                const real slope = Phase<P>::surrogate_gradient(over[p]);
                Phase<P>::adjoint(x[p] + OFFSET, before, over[p], slope, asked, gs[p], gx, gbefore);
#pragma unroll
                for (int g = 0; g < GATES; g++) {
                    gxs[t * batch * WIDTH + own.at_input + (OFFSET + g) * N] = gx[g];
                    if (ALONE)
                        place.stage[own.sample * STAGE * 4 + g * ROW + own.unit] = gx[g];
                }
#pragma unroll
                for (int j = 0; j < NUMBERS; j++)
                    gs[p][j] = gbefore[j];
            }
        }
        place.meet();
    }
};

extern "C" __launch_bounds__(THREADS, 1) __global__ void backward(const long long steps, const long long batch, const real *weight,
                                                               const real *driven, const real *held, const Leaves kept,
                                                               const real *kept_over, const real *gys, const Leaves glast,
                                                               const real *gfed_last, const Leaves gtraces, const real *gfed_trace,
                                                               real *gxs, const Leaves gfirst, real *gfed_first, real *gheld, real *device,
                                                               unsigned *meetings) {
    SHARED(real, room);
    const Place place(room, device, meetings);
    take_weight<0>(place, weight);
    if (PHASES == 2)
        take_weight<PHASES - 1>(place, weight);
    Backward all = {steps, batch, gxs, place};
    for (all.base = place.team * SAMPLES; all.base < batch; all.base += place.teams * SAMPLES) {
        all.there = SAMPLES < batch - all.base ? SAMPLES : (int)(batch - all.base);
        clear(place);
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, all.base, all.there);
#pragma unroll
            for (int j = 0; j < NUMBERS; j++)
                all.gs[p][j] = own.is_there && j < MOVING && glast.at[j] ? glast.at[j][own.at] : real(0);
        }
        for (long long t = steps - 1; t >= 0; t--) {
            // Asked for before the product is made.
#pragma unroll
            for (int p = 0; p < PER; p++) {
                const Own own(place, p, all.base, all.there);
                const long long at = t * batch * N + own.at;
                all.over[p] = SPIKES && own.is_there ? kept_over[at] : real(0);
                all.gy[p] = own.is_there && gys ? gys[at] : real(0);
                if (own.is_there && gfed_trace)
                    all.gy[p] += gfed_trace[at];
                if (own.is_there && gfed_last && t + 1 == steps)
                    all.gy[p] += gfed_last[own.at];
#pragma unroll
                for (int g = 0; g < ALL_INPUTS; g++)
                    all.x[p][g] = READS_INPUT && own.is_there ? driven[t * batch * WIDTH + own.at_input + g * N] : real(0);
#pragma unroll
                for (int j = 0; j < NUMBERS; j++) {
                    const bool reads = j < MOVING && (READS >> j & 1), is_held = j >= MOVING && j < STATES;
                    all.s[p][j] = reads && own.is_there ? kept.at[j][at] : real(0);
                    if (is_held && own.is_there)
                        all.s[p][j] = held[(j - MOVING) * N + own.unit];
                    if (j < MOVING && own.is_there && gtraces.at[j])
                        all.gs[p][j] += gtraces.at[j][at];
                }
            }
            if (t + 1 < steps)
                all.ask<0>(t + 1);
            all.phase<PHASES - 1>(t, t + 1 == steps);
            if (PHASES == 2) {
                all.ask<PHASES - 1>(t);
                all.phase<0>(t, false);
            }
        }
        all.ask<0>(0);
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const Own own(place, p, all.base, all.there);
            if (own.is_there) {
                gfed_first[own.at] = total<UNITS>(place, own.sample, own.local);
#pragma unroll
                for (int j = 0; j < STATES; j++) {
                    if (j < MOVING)
                        gfirst.at[j][own.at] = all.gs[p][j];
                    else
                        gheld[(j - MOVING) * batch * N + own.at] = all.gs[p][j];
                }
            }
        }
    }
}
