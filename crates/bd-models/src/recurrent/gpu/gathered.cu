// All steps of units whose spikes come back through a weight [N, N]: a block for each sample, whose threads have `PER` units each. Of the
// weight only those rows are read that a spike wants.
//
// What comes before this text: `real`, `Leaves`, `STATES`, `MOVING`, `READS` and the functions of the formula; `N`, `PER` and the `THREADS`
// of a block. A series is [step, sample, unit]. What the block shares is told when a kernel is started.

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

extern "C" __launch_bounds__(THREADS) __global__ void gathered(const long long steps, const long long batch, const real *xs, const real *weight,
                                   const real *held, const Leaves first, const real *fed_first, const Leaves last,
                                   real *fed_last, real *ys, real *driven, const Leaves kept, real *kept_over,
                                   const Leaves traces, real *fed_trace) {
    SHARED(real, room);
    real *fed = room; // [N]: outputs of the step before
    unsigned *words = (unsigned *)(fed + N);
    int *list = (int *)(words + PER * blockDim.x / 32);
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
