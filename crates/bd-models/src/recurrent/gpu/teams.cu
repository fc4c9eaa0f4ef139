// What kernels of recurrent cells have in common: teams of blocks, each of which has some units of a cell and its part of the weight.
//
// A team works on `SAMPLES` samples at a time. Of the `N` units each of its `MEMBERS` blocks has `UNITS`, with their state in registers and
// the numbers of the weight that they want beside it (`RESIDENT`: in memory that the block shares; else close by on the device). What all
// units gave is read by all members, in stretches of `STAGE` times four numbers of a sample, and multiplied; then they meet. A team of
// one that has room for a whole step (`ALONE`) keeps it in shared memory, and nobody waits for memory.
//
// What comes before this text: `real` and `Leaves`; the phases of a step, `Phase<0>` and perhaps `Phase<1>`, how many `PHASES` there are, and
// their inputs altogether, `ALL_INPUTS`; the numbers of state `STATES`, of which those from `MOVING` on are held, and `PASSING` others that go from
// phase to phase within a step; what the adjoint reads (`READS`, `READS_INPUT`, `SPIKES`); and the shares: `THREADS` and the words in
// capitals above.
//
// A series is [step, sample, unit], or [step, sample, input, unit].

#ifndef SHARED
#define SHARED(type, name) extern __shared__ __align__(16) type name[]
#endif
#ifndef PAUSE
#define PAUSE()
#define LOOK(at) (*(volatile unsigned *)(at))
#endif
// A number that others may write to the same place, and the same one.
#ifndef ALIKE
#define ALIKE(at, number) (*(at) = (number))
#endif

// Numbers that are read at once.
struct alignas(16) Quad {
    real v[4];
};

// The numbers that a product has of one input: those of all units, and zeros up to whole quads.
constexpr int ROW = (N + 3) / 4 * 4;
// Numbers of one sample, all inputs of a cell.
constexpr int WIDTH = ALL_INPUTS * N;
constexpr int NUMBERS = STATES + PASSING;
// Pairs of sample and unit that a thread has.
constexpr int PER = (SAMPLES * UNITS + THREADS - 1) / THREADS;
// Samples that a thread multiplies with a number of the weight that it has read.
constexpr int RUN = SAMPLES < 16 ? SAMPLES : 16;
constexpr int WARPS = THREADS / 32;

// Which units a block has, of which team, and the memory that it shares.
struct Place {
    long long team, teams;
    int unit; // the first of them
    Quad *weight[2]; // what each phase multiplies by
    real *stage, *sums;
    // All members of the team add to it; what it is when they have met.
    unsigned *meetings, goal;

    __device__ __forceinline__ Place(real *room, real *device, unsigned *all_meetings) {
        constexpr int QUADS = ROW / 4 * UNITS; // of one input
        team = blockIdx.x / MEMBERS;
        teams = gridDim.x / MEMBERS;
        unit = blockIdx.x % MEMBERS * UNITS;
        // On the device all teams have one: they write the same numbers to the same places, and each reads what it has written.
        weight[0] = RESIDENT ? (Quad *)room : (Quad *)device + (long long)(blockIdx.x % MEMBERS) * ALL_INPUTS * QUADS;
        weight[1] = weight[0] + Phase<0>::INPUTS * QUADS;
        stage = room + (RESIDENT ? ALL_INPUTS * QUADS * 4 : 0);
        sums = stage + SAMPLES * STAGE * 4;
        // Apart, for those who look are many.
        meetings = all_meetings + team * 32;
        goal = 0;
    }

    // Waits until all members are here. What they have written before it can be read after it.
    __device__ __forceinline__ void meet() {
        __syncthreads();
        if (MEMBERS > 1) {
            goal += MEMBERS;
            if (threadIdx.x == 0) {
                __threadfence();
                atomicAdd(meetings, 1u);
                while ((int)(LOOK(meetings) - goal) < 0)
                    PAUSE();
                __threadfence();
            }
            __syncthreads();
        }
    }
};

// Fills the stage with zeros where nothing will be read into it.
__device__ __forceinline__ void clear(const Place &place) {
    for (int i = threadIdx.x; ALONE && i < SAMPLES * STAGE * 4; i += THREADS)
        place.stage[i] = real(0);
    __syncthreads();
}

// How the columns of a product are shared out: a thread has `ACROSS` columns of `RUN` samples, so that what it reads is multiplied more than
// once, and of the rows one of `SPLITS` parts, whose sums stand side by side.
template <int COLUMNS> struct Tiles {
    static constexpr int ACROSS = COLUMNS > 32 ? 2 : 1, GROUPS = (COLUMNS + 32 * ACROSS - 1) / (32 * ACROSS);
    static constexpr int COUNT = GROUPS * (SAMPLES / RUN), MOST = WARPS / COUNT < STAGE ? WARPS / COUNT : STAGE;
    static constexpr int SPLITS = MOST > 1 ? MOST : 1;
};

// Four numbers that others have written, and not what was there before: hence past the cache of this processor.
template <typename T> __device__ __forceinline__ Quad written(const T *at) {
    if constexpr (sizeof(T) == 4) {
        const float4 v = __ldcg((const float4 *)at);
        return {v.x, v.y, v.z, v.w};
    } else {
        const double2 v = __ldcg((const double2 *)at), w = __ldcg((const double2 *)at + 1);
        return {v.x, v.y, w.x, w.y};
    }
}

// Reads `STAGE` quads of each sample, from quad `begin` of its rows, into the stage: several are asked for before the first is put down.
template <int GATES> __device__ __forceinline__ void fill_stage(const Place &place, const int begin, const real *from, const long long stride, const int there) {
    constexpr int ALL = GATES * ROW / 4, COUNT = SAMPLES * STAGE, AT_ONCE = sizeof(real) == 4 ? 4 : 2;
    for (int first = threadIdx.x; first < COUNT; first += AT_ONCE * THREADS) {
        Quad quads[AT_ONCE];
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            const int i = first + u * THREADS, sample = i / STAGE, k = (begin + i % STAGE) * 4, unit = k % ROW;
            const bool is_there = i < COUNT && sample < there && k < ALL * 4;
            const real *at = from + (is_there ? sample * stride + k / ROW * N + unit : 0);
            if constexpr (N % 4 == 0) {
                quads[u] = written(at);
#pragma unroll
                for (int j = 0; j < 4; j++)
                    quads[u].v[j] = is_there ? quads[u].v[j] : real(0);
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const bool is_unit = is_there && unit + j < N;
                    const real number = __ldcg(at + (is_unit ? j : 0));
                    quads[u].v[j] = is_unit ? number : real(0);
                }
            }
        }
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++)
            if (first + u * THREADS < COUNT)
                ((Quad *)place.stage)[first + u * THREADS] = quads[u];
    }
    __syncthreads();
}

// Sums over `GATES` rows of each sample, times `COLUMNS` of a weight. `from` is the first row of the first of `there` samples; their rows are
// `stride` apart.
template <int GATES, int COLUMNS>
__device__ __forceinline__ void product(const Place &place, const Quad *weight, const real *from, const long long stride, const int there) {
    using T = Tiles<COLUMNS>;
    constexpr int ALL = GATES * ROW / 4;
    for (int begin = 0; begin < ALL; begin += STAGE) {
        const int quads = STAGE < ALL - begin ? STAGE : ALL - begin;
        if (!ALONE)
            fill_stage<GATES>(place, begin, from, stride, there);
        for (int work = threadIdx.x / 32; work < T::COUNT * T::SPLITS; work += WARPS) {
            const int split = work % T::SPLITS, tile = work / T::SPLITS;
            const int column = tile % T::GROUPS * 32 * T::ACROSS + threadIdx.x % 32, first = tile / T::GROUPS * RUN;
            const Quad *w[T::ACROSS];
#pragma unroll
            for (int c = 0; c < T::ACROSS; c++)
                w[c] = weight + (long long)begin * COLUMNS + (column + 32 * c < COLUMNS ? column + 32 * c : COLUMNS - 1);
            const Quad *x = (const Quad *)place.stage + first * STAGE;
            real acc[T::ACROSS][RUN];
#pragma unroll
            for (int r = 0; r < RUN; r++)
#pragma unroll
                for (int c = 0; c < T::ACROSS; c++)
                    acc[c][r] = real(0);
#pragma unroll 2
            for (int q = quads * split / T::SPLITS; q < quads * (split + 1) / T::SPLITS; q++) {
                Quad own[T::ACROSS];
#pragma unroll
                for (int c = 0; c < T::ACROSS; c++)
                    own[c] = w[c][q * COLUMNS];
#pragma unroll
                for (int r = 0; r < RUN; r++) {
                    const Quad other = x[r * STAGE + q];
#pragma unroll
                    for (int c = 0; c < T::ACROSS; c++)
#pragma unroll
                        for (int i = 0; i < 4; i++)
                            acc[c][r] = fma(own[c].v[i], other.v[i], acc[c][r]);
                }
            }
#pragma unroll
            for (int r = 0; r < RUN; r++)
#pragma unroll
                for (int c = 0; c < T::ACROSS; c++)
                    if (column + 32 * c < COLUMNS) {
                        real *sum = place.sums + (split * SAMPLES + first + r) * COLUMNS + column + 32 * c;
                        *sum = begin == 0 ? acc[c][r] : *sum + acc[c][r];
                    }
        }
        __syncthreads();
    }
}

// What a product has made of a sample, in a column.
template <int COLUMNS> __device__ __forceinline__ real total(const Place &place, const int sample, const int column) {
    real sum = real(0);
#pragma unroll
    for (int split = 0; split < Tiles<COLUMNS>::SPLITS; split++)
        sum += place.sums[(split * SAMPLES + sample) * COLUMNS + column];
    return sum;
}

// A pair of sample and unit that a thread has.
struct Own {
    int sample, local, unit;
    bool is_there;
    // Where it stands in [sample, unit], and in [sample, input, unit], of a step.
    long long at, at_input;

    __device__ __forceinline__ Own(const Place &place, const int p, const long long base, const int there) {
        const int i = p * THREADS + threadIdx.x;
        sample = i / UNITS;
        local = i % UNITS;
        unit = place.unit + local;
        is_there = sample < there && unit < N;
        at = (base + sample) * N + unit;
        at_input = (base + sample) * WIDTH + unit;
    }
};
