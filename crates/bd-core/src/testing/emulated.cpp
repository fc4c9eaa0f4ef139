// What CUDA C needs to be C++: kernels run block after block, and the threads of a block in turns. Comes before a text.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include <ucontext.h>

using std::atan, std::cos, std::erf, std::exp, std::fabs, std::fma, std::log, std::pow, std::sin, std::tanh;

#define __global__
#define __device__ static
#define __shared__ static
#define __launch_bounds__(threads)
#define SHARED(type, name) type *name = reinterpret_cast<type *>(emulated::shared)

struct Place {
  unsigned x;
};
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {
// A thread of a kernel: runs until it waits for the others, then the next one has its turn.
struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(128 << 10);
  bool done = false;
};
static ucontext_t scheduler;
static Fiber *running;
// What each thread runs, outside of it, for `makecontext` takes a plain function.
static std::function<void()> body;
// Launches so far: every other one lets threads take turns from the last to the first, for what waits too little is right by luck in
// one order alone.
static unsigned launches;
static unsigned char *shared;
static unsigned char votes[1024];
} // namespace emulated

static void __syncthreads() { swapcontext(&emulated::running->context, &emulated::scheduler); }

// Of the 32 threads of a warp; here all threads of a block take part.
static unsigned __ballot_sync(unsigned, bool vote) {
  emulated::votes[threadIdx.x] = vote;
  __syncthreads();
  unsigned mask = 0, first = threadIdx.x / 32 * 32;
  for (unsigned i = 0; i < 32 && first + i < blockDim.x; i++)
    mask |= unsigned(emulated::votes[first + i]) << i;
  __syncthreads();
  return mask;
}

static inline int __popc(unsigned mask) { return __builtin_popcount(mask); }

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
  const bool falling = launches++ % 2;
  body = [=] { call(kernel, values, std::index_sequence_for<A...>{}); };
  for (size_t block = 0; block < blocks; block++) {
    blockIdx.x = unsigned(block);
    if (!together) {
      for (size_t i = 0; i < threads; i++) {
        threadIdx.x = unsigned(i);
        body();
      }
      continue;
    }
    std::vector<Fiber> fibers(threads);
    for (auto &fiber : fibers) {
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.data();
      fiber.context.uc_stack.ss_size = fiber.stack.size();
      fiber.context.uc_link = &scheduler;
      makecontext(&fiber.context, +[] {
        body();
        running->done = true;
      }, 0);
    }
    for (size_t done = 0; done == 0;) {
      for (size_t turn = 0; turn < threads; turn++) {
        const size_t i = falling ? threads - 1 - turn : turn;
        threadIdx.x = unsigned(i);
        running = &fibers[i];
        swapcontext(&scheduler, &running->context);
        done += running->done;
      }
      // A GPU would wait for ever, or do as it likes.
      if (done != 0 && done != threads) {
        std::fprintf(stderr, "some threads of a block have ended while others wait for them\n");
        std::abort();
      }
    }
  }
}
} // namespace emulated
