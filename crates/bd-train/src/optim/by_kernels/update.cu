// An update of all parameters in three launches: `update_sums` sums over their gradients, `update_next` makes the next parameters
// beside them, and `update_commit` puts these in their place if all of it is finite.
//
// What comes before this text: `real`; the parameters `PARAMS` and what is kept beside each number of them, `SLOTS`; the threads of a block
// `THREADS`; `rule`, the next number and its slots, written down from the formula.
//
// Numbers of all parameters are counted through, and those of parameter `p` end before `ends.at[p]`. Sums are in double, first over what a
// thread has seen, then over threads, then over blocks, in an order that depends on the sizes alone. Tables are read where the launch has put
// them: a copy of each thread's own would be in memory.

struct Table {
    real *at[PARAMS];
};
struct Ends {
    long long at[PARAMS];
};
struct Penalty {
    double l1, l2;
};
struct Constants {
    double at[MOST_CONSTANTS];
};

#ifndef SHARED
#define SHARED(type, name) extern __shared__ __align__(16) type name[]
#endif

// Sums of the gradient's squares, of the parameter's, and of its sizes.
#define SUMS 3

__device__ inline long long first_number() {
    return blockIdx.x * (long long)THREADS + threadIdx.x;
}

__device__ inline long long stride() {
    return gridDim.x * (long long)THREADS;
}

__device__ inline bool is_finite(const double x) {
    return x - x == 0;
}

// Goes on to the parameter of number `i`, and gives where that stands in it.
__device__ inline long long place(const Ends &ends, const long long i, int &p) {
    while (i >= ends.at[p])
        p++;
    return p ? i - ends.at[p - 1] : i;
}

// The gradient with the penalty's.
__device__ inline real penalised(const real x, const real g, const Penalty penalty) {
    if (penalty.l1 == 0 && penalty.l2 == 0)
        return g;
    const real sign = x > real(0) ? real(1) : x < real(0) ? real(-1) : real(0);
    return g + (x * real(2.0 * penalty.l2) + sign * real(penalty.l1));
}

// Sums `count` numbers a thread over the threads of a block: afterwards the sum `k` is `sums[k * THREADS]`.
__device__ inline void sum_over_threads(double *sums, const int count) {
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            for (int k = 0; k < count; k++)
                sums[k * THREADS + threadIdx.x] += sums[k * THREADS + threadIdx.x + half];
    }
    __syncthreads();
}

// Sums of each block. While all updates before this one are sound, the gradients are put aside: of one that is refused they are looked at.
extern "C" __global__ void update_sums(const long long n, const __grid_constant__ Ends ends,
                                       const __grid_constant__ Table params, const __grid_constant__ Table gradients,
                                       const Penalty penalty, const double *before, real *held, double *of_blocks) {
    SHARED(double, sums);
    const bool holds = !before || before[3] != 0;
    double own[SUMS] = {};
    int p = 0;
    for (long long i = first_number(); i < n; i += stride()) {
        const long long at = place(ends, i, p);
        const real x = params.at[p][at], g = gradients.at[p] ? gradients.at[p][at] : real(0);
        if (holds)
            held[i] = g;
        const double whole = penalised(x, g, penalty), wide = x;
        own[0] += whole * whole;
        own[1] += wide * wide;
        own[2] += wide < 0 ? -wide : wide;
    }
    for (int k = 0; k < SUMS; k++)
        sums[k * THREADS + threadIdx.x] = own[k];
    sum_over_threads(sums, SUMS);
    if (threadIdx.x < SUMS)
        of_blocks[blockIdx.x * SUMS + threadIdx.x] = sums[threadIdx.x * THREADS];
}

// What parameters and slots will be, and for each block whether any of it is not finite. The first block leaves penalty and squares, too.
extern "C" __global__ void update_next(const long long n, const __grid_constant__ Ends ends,
                                       const __grid_constant__ Table params, const __grid_constant__ Table gradients,
                                       const Penalty penalty, const double clip, const Constants constants,
                                       const real *slots, const double *of_blocks, double *totals, real *next,
                                       double *wrong) {
    SHARED(double, sums);
    for (int k = 0; k < SUMS; k++) {
        double own = 0;
        for (long long b = threadIdx.x; b < gridDim.x; b += THREADS)
            own += of_blocks[b * SUMS + k];
        sums[k * THREADS + threadIdx.x] = own;
    }
    sum_over_threads(sums, SUMS);
    const double squares = sums[0], norm = sqrt(squares);
    // Without a penalty 0, even where squares overflow.
    const double value = (penalty.l2 == 0 ? 0 : penalty.l2 * sums[THREADS]) + (penalty.l1 == 0 ? 0 : penalty.l1 * sums[2 * THREADS]);
    if (blockIdx.x == 0 && threadIdx.x == 0)
        totals[0] = value, totals[1] = squares;
    const real factor = clip > 0 && norm > clip ? real(clip / norm) : real(1);
    real c[MOST_CONSTANTS];
    for (int k = 0; k < MOST_CONSTANTS; k++)
        c[k] = real(constants.at[k]);
    double bad = 0;
    int p = 0;
    for (long long i = first_number(); i < n; i += stride()) {
        const long long at = place(ends, i, p);
        const real x = params.at[p][at], g = gradients.at[p] ? gradients.at[p][at] : real(0);
        real s[SLOTS + 1], found[SLOTS + 1];
        for (int k = 0; k < SLOTS; k++)
            s[k] = slots[k * n + i];
        rule(x, penalised(x, g, penalty) * factor, s, c, found);
        for (int k = 0; k < SLOTS + 1; k++) {
            next[k * n + i] = found[k];
            if (!is_finite(found[k]))
                bad = 1;
        }
    }
    __syncthreads();
    sums[threadIdx.x] = bad;
    sum_over_threads(sums, 1);
    if (threadIdx.x == 0)
        wrong[blockIdx.x] = sums[0];
}

// Makes the update if it and all before it are sound. `row` is the loss, the penalty, the sum of the gradient's squares, and whether it
// was made.
extern "C" __global__ void update_commit(const long long n, const __grid_constant__ Ends ends,
                                         const __grid_constant__ Table params, const double *before, const real *loss,
                                         const double *wide_loss, const double *totals, const real *next,
                                         const double *wrong, real *slots, double *row) {
    SHARED(double, sums);
    double own = 0;
    for (long long b = threadIdx.x; b < gridDim.x; b += THREADS)
        own += wrong[b];
    sums[threadIdx.x] = own;
    sum_over_threads(sums, 1);
    const double of_loss = loss ? double(*loss) : *wide_loss;
    const bool sound = (!before || before[3] != 0) && is_finite(of_loss + totals[0]) && is_finite(totals[1]) && sums[0] == 0;
    if (blockIdx.x == 0 && threadIdx.x == 0)
        row[0] = of_loss, row[1] = totals[0], row[2] = totals[1], row[3] = sound;
    if (!sound)
        return;
    int p = 0;
    for (long long i = first_number(); i < n; i += stride()) {
        const long long at = place(ends, i, p);
        params.at[p][at] = next[i];
        for (int k = 0; k < SLOTS; k++)
            slots[k * n + i] = next[(k + 1) * n + i];
    }
}
