// A GPU of one thread of the machine: kernels run block after block, or all blocks together if they wait for each other, and their threads
// in turns. Comes after hooks.cpp, which reports what they touch.

#include <ucontext.h>

#define SHARED(type, name) type *name = reinterpret_cast<type *>(watch::now.shared)
// Whoever waits for another block lets it go on.
#define PAUSE() emulated::rest()
#define LOOK(at) emulated::look(at)
#define ALIKE(at, number) emulated::alike(at, number)
#define threadIdx watch::now.thread_index
#define blockIdx watch::now.block_index
#define blockDim watch::now.block_dim
#define gridDim watch::now.grid_dim

namespace emulated {
using watch::now;
enum class Wait { NO, VOTE, MEETING };
// A thread of a kernel: runs until it waits for others, then the next one has its turn.
struct Fiber {
  ucontext_t context;
  bool done = false;
  Wait wait = Wait::NO;
  static constexpr size_t STACK = 64 << 10;
  char stack[STACK];
};
// What the threads of a block have in common, and they themselves.
struct Block {
  Fiber *fibers;
  unsigned char *shared;
  bool *votes;
  Block(size_t threads, unsigned char *shared);
  ~Block();
};
static ucontext_t scheduler;
static Fiber *running;
static Block *block;
// What each thread runs: a kernel behind a function that knows its type, and its values.
static void (*call)(void *kernel, void *const *values);
static void *kernel;
static void *const *values;
// Launches so far: every other one lets threads take turns from the last to the first, for what waits too little is right by luck in
// one order alone.
static unsigned launches;

UNWATCHED static void body() { call(kernel, values); }

UNWATCHED static void rest() { swapcontext(&running->context, &scheduler); }

UNWATCHED static void wait(Wait what) {
  running->wait = what;
  rest();
}

UNWATCHED static unsigned look(const unsigned *at) {
  watch::access(at, sizeof *at, watch::ATOMIC_READ);
  return *at;
}

template <typename T> UNWATCHED static void alike(T *at, const T number) {
  watch::access(at, sizeof(T), std::memcmp(at, &number, sizeof(T)) == 0 ? watch::ALIKE_SAME : watch::ALIKE_CHANGED);
  *at = number;
}
} // namespace emulated

UNWATCHED static void __syncthreads() { emulated::wait(emulated::Wait::MEETING); }

UNWATCHED static void __threadfence() { watch::hooks->fence(watch::hooks->watch, watch::thread); }

UNWATCHED static unsigned atomicAdd(unsigned *at, unsigned more) {
  watch::access(at, sizeof *at, watch::ATOMIC_WRITE);
  const unsigned before = *at;
  *at += more;
  return before;
}

// Threads that vote wait for each other. What they have written before is not sure to be seen after, as CUDA has it.
UNWATCHED static unsigned __ballot_sync(unsigned, bool vote) {
  return ballot(emulated::block->votes, vote, threadIdx.x, blockDim.x, [] { emulated::wait(emulated::Wait::VOTE); });
}

namespace emulated {
template <typename... A, size_t... I>
UNWATCHED void call_with(void (*kernel)(A...), void *const *values, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_const_t<A> *>(values[I])...);
}

UNWATCHED static void live() {
  body();
  running->done = true;
}

UNWATCHED Block::Block(size_t threads, unsigned char *shared) : shared(shared) {
  fibers = new Fiber[threads];
  for (size_t i = 0; i < threads; i++) {
    Fiber &fiber = fibers[i];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = Fiber::STACK;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, live, 0);
  }
  votes = new bool[threads];
}

UNWATCHED Block::~Block() {
  delete[] fibers;
  delete[] votes;
}

UNWATCHED static void fail(const char *why) {
  std::fprintf(stderr, "%s\n", why);
  std::abort();
}

// Lets each thread of a block run until it waits. Gives how many have ended.
UNWATCHED static size_t turn(Block &one, size_t which, size_t threads, bool falling) {
  block = &one;
  now.block_index.x = unsigned(which), now.shared = one.shared;
  size_t done = 0, waiting[3] = {};
  for (size_t turn = 0; turn < threads; turn++) {
    const size_t i = falling ? threads - 1 - turn : turn;
    now.thread_index.x = unsigned(i);
    running = &one.fibers[i];
    if (!running->done && running->wait == Wait::NO) {
      watch::thread = uint32_t(which * threads + i), watch::stack_end = running->stack + Fiber::STACK;
      swapcontext(&scheduler, &running->context);
      watch::stack_end = nullptr;
    }
    done += running->done, waiting[size_t(running->wait)]++;
  }
  const size_t votes = waiting[size_t(Wait::VOTE)], meetings = waiting[size_t(Wait::MEETING)];
  // A GPU would wait for ever, or do as it likes.
  if (done != 0 && votes + meetings != 0)
    fail("some threads of a block have ended while others wait for them");
  if (votes != 0 && meetings != 0)
    fail("some threads of a block vote while others wait for them");
  if (meetings == threads)
    watch::hooks->meet(watch::hooks->watch, uint32_t(which));
  for (size_t i = 0; votes + meetings == threads && i < threads; i++)
    one.fibers[i].wait = Wait::NO;
  return done;
}

// Blocks `from` to `to`, whose threads take turns. Each has `stride` bytes of the shared memory.
UNWATCHED static void take_turns(size_t from, size_t to, size_t threads, unsigned char *shared, size_t stride, bool falling) {
  const size_t count = to - from;
  Block **blocks = new Block *[count];
  for (size_t b = 0; b < count; b++)
    blocks[b] = new Block(threads, shared + (from + b) * stride);
  for (size_t done = 0; done < count * threads;) {
    done = 0;
    for (size_t b = 0; b < count; b++) {
      const size_t which = falling ? count - 1 - b : b;
      done += turn(*blocks[which], from + which, threads, falling);
    }
  }
  for (size_t b = 0; b < count; b++)
    delete blocks[b];
  delete[] blocks;
}

// Blocks whose threads never wait for each other.
UNWATCHED static void one_by_one(size_t blocks, size_t threads, unsigned char *shared, size_t stride) {
  for (size_t b = 0; b < blocks; b++) {
    now.block_index.x = unsigned(b), now.shared = shared + b * stride;
    for (size_t i = 0; i < threads; i++) {
      now.thread_index.x = unsigned(i);
      watch::thread = uint32_t(b * threads + i);
      watch::stack_end = static_cast<const char *>(__builtin_frame_address(0));
      body();
      watch::stack_end = nullptr;
    }
  }
}

// `waiting`: threads of a block wait for each other; `together`: blocks do.
template <typename... A>
UNWATCHED void run(void (*typed)(A...), const watch::Hooks *hooks, bool waiting, bool together, size_t blocks, size_t threads,
                   size_t shared_bytes, void *const *given) {
  watch::hooks = hooks;
  now.block_dim.x = unsigned(threads), now.grid_dim.x = unsigned(blocks);
  const bool falling = launches++ % 2;
  kernel = reinterpret_cast<void *>(typed), values = given;
  call = [](void *kernel, void *const *values) {
    call_with(reinterpret_cast<void (*)(A...)>(kernel), values, std::index_sequence_for<A...>{});
  };
  // As on a GPU, at multiples of 16. Numbers that nobody has written are no numbers. No two blocks have the same addresses, not even
  // one after the other.
  const size_t stride = (shared_bytes + 15) / 16 * 16, bytes = blocks * stride + 16;
  unsigned char *shared = static_cast<unsigned char *>(std::aligned_alloc(16, bytes));
  std::memset(shared, 0xff, bytes);
  if (!waiting)
    one_by_one(blocks, threads, shared, stride);
  else if (together)
    take_turns(0, blocks, threads, shared, stride, falling);
  else
    for (size_t b = 0; b < blocks; b++)
      take_turns(b, b + 1, threads, shared, stride, falling);
  std::free(shared);
}
} // namespace emulated
