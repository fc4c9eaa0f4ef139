// A GPU of as many threads of the machine as a kernel has, for ThreadSanitizer to watch.

#include <initializer_list>
#include <thread>
#include <vector>

#include <pthread.h>

#define SHARED(type, name) type *name = reinterpret_cast<type *>(races::block->shared)
#define PAUSE() std::this_thread::yield()
// What blocks tell each other that they have met by. To C++ a volatile number is not enough; to a GPU it is, between fences.
#define LOOK(at) __atomic_load_n(at, __ATOMIC_ACQUIRE)

static thread_local Index threadIdx, blockIdx;
static Index blockDim, gridDim;

namespace races {
struct Block {
  pthread_barrier_t all_are_here;
  unsigned char *shared;
  bool votes[1024];
};
static thread_local Block *block;

// Memory of the device: numbers that are all the same and harmless.
static real *numbers(size_t count) {
  real *at = new real[count];
  for (size_t i = 0; i < count; i++)
    at[i] = real(0.25);
  return at;
}

// Runs `thread` for each thread of each block, all at once.
template <typename F> void run(unsigned blocks, unsigned threads, size_t shared_bytes, F thread) {
  blockDim.x = threads, gridDim.x = blocks;
  std::vector<std::thread> all;
  for (unsigned b = 0; b < blocks; b++) {
    Block *one = new Block;
    pthread_barrier_init(&one->all_are_here, nullptr, threads);
    one->shared = static_cast<unsigned char *>(std::aligned_alloc(16, (shared_bytes + 15) / 16 * 16));
    for (unsigned t = 0; t < threads; t++)
      all.emplace_back([=] {
        block = one, blockIdx.x = b, threadIdx.x = t;
        thread();
      });
  }
  for (auto &one : all)
    one.join();
}
} // namespace races

static void __syncthreads() { pthread_barrier_wait(&races::block->all_are_here); }

static void __threadfence() {}

static unsigned atomicAdd(unsigned *at, unsigned more) { return __atomic_fetch_add(at, more, __ATOMIC_ACQ_REL); }

static unsigned __ballot_sync(unsigned, bool vote) {
  return ballot(races::block->votes, vote, threadIdx.x, blockDim.x, __syncthreads);
}
