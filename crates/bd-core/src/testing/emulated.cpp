// What CUDA C needs to be C++: kernels run on threads of the CPU, block after block. Comes before a text.

#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

using std::atan, std::cos, std::erf, std::exp, std::fabs, std::log, std::pow, std::sin, std::tanh;

#define __global__
#define __device__ static
#define __shared__ static
#define __launch_bounds__(threads)
#define SHARED(type, name) type *name = reinterpret_cast<type *>(emulated::shared)

struct Place {
  unsigned x;
};
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;

namespace emulated {
static unsigned char *shared;
static std::barrier<> *all;
static unsigned char votes[1024];
} // namespace emulated

static inline void __syncthreads() { emulated::all->arrive_and_wait(); }

// Of the 32 threads of a warp; here all threads of a block take part.
static inline unsigned __ballot_sync(unsigned, bool vote) {
  emulated::votes[threadIdx.x] = vote;
  __syncthreads();
  unsigned mask = 0, first = threadIdx.x / 32 * 32;
  for (unsigned i = 0; i < 32 && first + i < blockDim.x; i++)
    mask |= unsigned(emulated::votes[first + i]) << i;
  __syncthreads();
  return mask;
}

static inline int __ffs(unsigned mask) { return __builtin_ffs(int(mask)); }

static inline double __longlong_as_double(long long bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

namespace emulated {
template <typename... A, size_t... I>
void call(void (*kernel)(A...), void *const *values, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_const_t<A> *>(values[I])...);
}

template <typename... A>
void run(void (*kernel)(A...), bool together, size_t blocks, size_t threads, size_t shared_bytes, void *const *values) {
  blockDim.x = unsigned(threads), gridDim.x = unsigned(blocks);
  // Numbers that nobody has written are no numbers.
  std::vector<unsigned char> memory(shared_bytes, 0xff);
  shared = memory.data();
  if (!together) {
    for (size_t block = 0; block < blocks; block++)
      for (size_t thread = 0; thread < threads; thread++) {
        blockIdx.x = unsigned(block), threadIdx.x = unsigned(thread);
        call(kernel, values, std::index_sequence_for<A...>{});
      }
    return;
  }
  std::barrier<> meeting(static_cast<std::ptrdiff_t>(threads));
  all = &meeting;
  std::vector<std::thread> running;
  for (size_t i = 0; i < threads; i++)
    running.emplace_back([&, i] {
      threadIdx.x = unsigned(i);
      for (size_t block = 0; block < blocks; block++) {
        blockIdx.x = unsigned(block);
        call(kernel, values, std::index_sequence_for<A...>{});
        __syncthreads();
      }
    });
  for (auto &one : running)
    one.join();
}
} // namespace emulated
