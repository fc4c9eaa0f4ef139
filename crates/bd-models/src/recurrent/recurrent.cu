// All steps of units whose outputs come back through a weight [N, N], and their adjoint: a block for each sample, whose threads have
// `PER` units each.
//
// What comes before this text: `real`, `Leaves`, `STATES`, `MOVING`, `READS`, `READS_INPUT`, `SPIKES` and the functions of the formula; `N`, `PER` and the `THREADS` of a
// block. A series is [step, sample, unit]. What the block shares is told when a kernel is started.

#ifndef SHARED
#define SHARED(type, name) extern __shared__ type name[]
#endif

// Fills `list` with the units whose outputs are not zero, in their order, so that sums are the same every time. `own` are those of this
// thread. Gives how many there are.
__device__ inline int listed(const real *own, unsigned *words, int *list) {
#pragma unroll
    for (int p = 0; p < PER; p++) {
        const int k = p * blockDim.x + threadIdx.x;
        const unsigned mask = __ballot_sync(0xffffffffu, k < N && own[p] != real(0));
        if (threadIdx.x % 32 == 0)
            words[k / 32] = mask;
    }
    __syncthreads();
    int count = 0;
    for (int word = 0; word < (int)(PER * blockDim.x) / 32; word++) {
        const unsigned mask = words[word];
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const int k = p * blockDim.x + threadIdx.x;
            if (k / 32 == word && (mask >> k % 32 & 1))
                list[count + __popc(mask & ((1u << k % 32) - 1))] = k;
        }
        count += __popc(mask);
    }
    __syncthreads();
    return count;
}

// Adds to the sums of this thread's units what [N] numbers make of them by a matrix [N, N]; the block shares both.
__device__ inline void add_product(const real *numbers, const real *matrix, real *sums) {
#pragma unroll 4
    for (int i = 0; i < N; i++) {
        const real number = numbers[i];
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const int k = p * blockDim.x + threadIdx.x;
            sums[p] = k < N ? fma(number, matrix[i * N + k], sums[p]) : real(0);
        }
    }
}

extern "C" __launch_bounds__(THREADS) __global__ void forward(const long long steps, const long long batch, const real *xs, const real *weight,
                                   const real *held, const Leaves first, const real *fed_first, const Leaves last,
                                   real *fed_last, real *ys, real *driven, const Leaves kept, real *kept_over,
                                   const Leaves traces, real *fed_trace) {
    SHARED(real, room);
    real *fed = room; // [N]: outputs of the step before
#if SPIKES
    unsigned *words = (unsigned *)(fed + N);
    int *list = (int *)(words + PER * blockDim.x / 32);
#else
    real *all = fed + N; // [N, N]: the weight
    for (int i = threadIdx.x; i < N * N; i += blockDim.x)
        all[i] = weight[i];
#endif
    const long long width = batch * N, sample = blockIdx.x * (long long)N;
    real s[PER][STATES], own[PER], ahead[PER];
#pragma unroll
    for (int p = 0; p < PER; p++) {
        const int k = p * blockDim.x + threadIdx.x;
        own[p] = ahead[p] = real(0);
        if (k < N) {
#pragma unroll
            for (int j = 0; j < STATES; j++)
                s[p][j] = j < MOVING ? first.at[j][sample + k] : held[(j - MOVING) * N + k];
            own[p] = fed_first[sample + k];
            fed[k] = own[p];
            ahead[p] = xs[sample + k];
        }
    }
    __syncthreads();
    for (long long t = 0; t < steps; t++) {
        real x[PER];
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const int k = p * blockDim.x + threadIdx.x;
            x[p] = ahead[p];
            ahead[p] = k < N && t + 1 < steps ? xs[(t + 1) * width + sample + k] : real(0);
        }
#if SPIKES
        const int count = listed(own, words, list);
        // Rows of the weight by eights: asked for together, for they come from afar.
        for (int c = 0; c < count; c += 8) {
#pragma unroll
            for (int p = 0; p < PER; p++) {
                const int k = p * blockDim.x + threadIdx.x;
                real w[8];
#pragma unroll
                for (int u = 0; u < 8; u++)
                    w[u] = k < N && c + u < count ? weight[(long long)list[c + u] * N + k] : real(0);
#pragma unroll
                for (int u = 0; u < 8; u++)
                    x[p] = c + u < count ? fma(fed[list[c + u]], w[u], x[p]) : x[p];
            }
        }
#else
        add_product(fed, all, x);
#endif
        // Everybody has read what came back before it is written anew.
        __syncthreads();
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const int k = p * blockDim.x + threadIdx.x;
            if (k < N) {
                const long long at = t * width + sample + k;
                real next[STATES], over;
                if (driven)
                    driven[at] = x[p];
#pragma unroll
                for (int j = 0; j < MOVING; j++)
                    if ((READS >> j & 1) && kept.at[j])
                        kept.at[j][at] = s[p][j];
                step(x[p], s[p], &own[p], next, &over);
                ys[at] = own[p];
                fed[k] = own[p];
                if (kept_over)
                    kept_over[at] = over;
                if (fed_trace)
                    fed_trace[at] = own[p];
#pragma unroll
                for (int j = 0; j < MOVING; j++) {
                    s[p][j] = next[j];
                    if (traces.at[j])
                        traces.at[j][at] = next[j];
                }
            }
        }
#if !SPIKES
        // Where units spike, those that list them meet.
        __syncthreads();
#endif
    }
#pragma unroll
    for (int p = 0; p < PER; p++) {
        const int k = p * blockDim.x + threadIdx.x;
        if (k < N) {
#pragma unroll
            for (int j = 0; j < MOVING; j++)
                last.at[j][sample + k] = s[p][j];
            if (fed_last)
                fed_last[sample + k] = own[p];
        }
    }
}

// What the adjoint of a step reads of one unit.
struct Past {
    real x, over, gy, s[STATES];
};

// For weights that a block has room for.
extern "C" __launch_bounds__(THREADS) __global__ void backward(const long long steps, const long long batch, const real *weight, const real *driven,
                                    const real *held, const Leaves kept, const real *kept_over, const real *gys,
                                    const Leaves glast, const real *gfed_last, const Leaves gtraces, const real *gfed_trace,
                                    real *gxs, const Leaves gfirst, real *gfed_first, real *gheld) {
    SHARED(real, room);
    real *asked = room;       // [N]: of the inputs
    real *turned = asked + N; // [N, N]: the weight, its columns as rows, so that neighbours read neighbours
    for (int i = threadIdx.x; i < N * N; i += blockDim.x)
        turned[i % N * N + i / N] = weight[i];
    const long long width = batch * N, sample = blockIdx.x * (long long)N;
    real own[PER][STATES], gs[PER][STATES], gfed[PER];
#pragma unroll
    for (int p = 0; p < PER; p++) {
        const int k = p * blockDim.x + threadIdx.x;
        gfed[p] = k < N && gfed_last ? gfed_last[sample + k] : real(0);
#pragma unroll
        for (int j = 0; j < STATES; j++) {
            own[p][j] = k < N && j >= MOVING ? held[(j - MOVING) * N + k] : real(0);
            gs[p][j] = k < N && j < MOVING && glast.at[j] ? glast.at[j][sample + k] : real(0);
        }
    }
    auto read = [&](const long long t, const int k) {
        Past past;
        const bool there = t >= 0 && k < N;
        const long long at = t * width + sample + k;
        past.x = READS_INPUT && there ? driven[at] : real(0);
        past.over = SPIKES && there ? kept_over[at] : real(0);
        past.gy = (there && gys ? gys[at] : real(0)) + (there && gfed_trace ? gfed_trace[at] : real(0));
#pragma unroll
        for (int j = 0; j < MOVING; j++)
            past.s[j] = (READS >> j & 1) && there ? kept.at[j][at] : real(0);
        return past;
    };
    Past ahead[PER];
#pragma unroll
    for (int p = 0; p < PER; p++)
        ahead[p] = read(steps - 1, p * blockDim.x + threadIdx.x);
    __syncthreads();
    for (long long t = steps - 1; t >= 0; t--) {
#pragma unroll
        for (int p = 0; p < PER; p++) {
            const int k = p * blockDim.x + threadIdx.x;
            const Past past = ahead[p];
            // Asked for before it is wanted: while the product is made.
            ahead[p] = read(t - 1, k);
            if (k < N) {
                const long long at = t * width + sample + k;
                real s[STATES], gx, before[STATES];
#pragma unroll
                for (int j = 0; j < STATES; j++) {
                    s[j] = j < MOVING ? past.s[j] : own[p][j];
                    if (j < MOVING && gtraces.at[j])
                        gs[p][j] += gtraces.at[j][at];
                }
                const real over = past.over;
                adjoint(past.x, s, over, surrogate_gradient(over), gfed[p] + past.gy, gs[p], &gx, before);
                gxs[at] = gx;
                asked[k] = gx;
#pragma unroll
                for (int j = 0; j < STATES; j++)
                    gs[p][j] = before[j];
            }
        }
        __syncthreads();
#pragma unroll
        for (int p = 0; p < PER; p++)
            gfed[p] = real(0);
        add_product(asked, turned, gfed);
        __syncthreads();
    }
#pragma unroll
    for (int p = 0; p < PER; p++) {
        const int k = p * blockDim.x + threadIdx.x;
        if (k < N) {
#pragma unroll
            for (int j = 0; j < STATES; j++) {
                if (j < MOVING)
                    gfirst.at[j][sample + k] = gs[p][j];
                else
                    gheld[(j - MOVING) * width + sample + k] = gs[p][j];
            }
            gfed_first[sample + k] = gfed[p];
        }
    }
}
