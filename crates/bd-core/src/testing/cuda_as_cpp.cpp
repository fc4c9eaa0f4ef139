// What CUDA C needs to be C++, whoever runs the threads. Comes before that, and before a text.

// Few headers, for this is compiled with every text.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

using std::atan, std::cos, std::erf, std::exp, std::fabs, std::fma, std::log, std::pow, std::sin, std::sqrt, std::tanh;

#define __global__
#define __grid_constant__
// Nobody else's, whatever it is called.
#define __device__ __attribute__((visibility("hidden")))
#define __forceinline__ inline
#define __launch_bounds__(...)
// What stands in for a GPU is not part of the kernel in which races are looked for.
#define UNWATCHED __attribute__((no_sanitize("thread")))

struct Index {
  unsigned x;
};

struct float4 {
  float x, y, z, w;
};
struct double2 {
  double x, y;
};

template <typename T> static T __ldcg(const T *at) { return *at; }

// How the 32 threads of a warp vote, where all threads of a block take part, and wait for each other by `wait`.
template <typename Wait> UNWATCHED static unsigned ballot(bool *votes, bool vote, unsigned thread, unsigned threads, Wait wait) {
  votes[thread] = vote;
  wait();
  unsigned mask = 0, first = thread / 32 * 32;
  for (unsigned i = 0; i < 32 && first + i < threads; i++)
    mask |= unsigned(votes[first + i]) << i;
  wait();
  return mask;
}

static inline int __popc(unsigned mask) { return __builtin_popcount(mask); }

static inline double __longlong_as_double(long long bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
