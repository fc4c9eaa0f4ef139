// A GPU of one thread of the machine: kernels run block after block, or all blocks together if they wait for each other, and their threads
// in turns.

#include <ucontext.h>

#define SHARED(type, name) type *name = reinterpret_cast<type *>(emulated::block->shared)
// Whoever waits for another block lets it go on.
#define PAUSE() emulated::rest()
#define LOOK(at) (*(volatile unsigned *)(at))

static Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {
// A thread of a kernel: runs until it waits for others, then the next one has its turn.
struct Fiber {
  ucontext_t context;
  bool done = false, waits = false;
  static constexpr size_t STACK = 64 << 10;
  char stack[STACK];
};
// What the threads of a block have in common, and they themselves.
struct Block {
  Fiber *fibers;
  unsigned char *memory, *shared;
  bool *votes;
  Block(size_t threads, size_t shared_bytes);
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

inline void body() { call(kernel, values); }

inline void rest() { swapcontext(&running->context, &scheduler); }
} // namespace emulated

static void __syncthreads() {
  emulated::running->waits = true;
  emulated::rest();
}

static unsigned atomicAdd(unsigned *at, unsigned more) {
  const unsigned before = *at;
  *at += more;
  return before;
}

static unsigned __ballot_sync(unsigned, bool vote) {
  return ballot(emulated::block->votes, vote, threadIdx.x, blockDim.x, __syncthreads);
}

namespace emulated {
template <typename... A, size_t... I>
void call_with(void (*kernel)(A...), void *const *values, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_const_t<A> *>(values[I])...);
}

static void live() {
  body();
  running->done = true;
}

inline Block::Block(size_t threads, size_t shared_bytes) {
  fibers = new Fiber[threads];
  for (size_t i = 0; i < threads; i++) {
    Fiber &fiber = fibers[i];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = Fiber::STACK;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, live, 0);
  }
  memory = new unsigned char[shared_bytes + 16];
  // As on a GPU, at a multiple of 16. Numbers that nobody has written are no numbers.
  shared = memory + (16 - reinterpret_cast<uintptr_t>(memory) % 16) % 16;
  std::memset(shared, 0xff, shared_bytes);
  votes = new bool[threads];
}

inline Block::~Block() {
  delete[] fibers;
  delete[] memory;
  delete[] votes;
}

// Blocks `from` to `to`, whose threads take turns.
static void take_turns(size_t from, size_t to, size_t threads, size_t shared_bytes, bool falling) {
  const size_t count = to - from;
  Block **blocks = new Block *[count];
  for (size_t b = 0; b < count; b++)
    blocks[b] = new Block(threads, shared_bytes);
  for (size_t left = count * threads; left > 0;) {
    for (size_t b = 0; b < count; b++) {
      const size_t which = falling ? count - 1 - b : b;
      block = blocks[which];
      blockIdx.x = unsigned(from + which);
      size_t done = 0, waiting = 0;
      for (size_t turn = 0; turn < threads; turn++) {
        const size_t i = falling ? threads - 1 - turn : turn;
        threadIdx.x = unsigned(i);
        running = &block->fibers[i];
        if (!running->done && !running->waits) {
          swapcontext(&scheduler, &running->context);
          left -= running->done;
        }
        done += running->done, waiting += running->waits;
      }
      // A GPU would wait for ever, or do as it likes.
      if (done != 0 && waiting != 0) {
        std::fprintf(stderr, "some threads of a block have ended while others wait for them\n");
        std::abort();
      }
      for (size_t i = 0; waiting == threads && i < threads; i++)
        block->fibers[i].waits = false;
    }
  }
  for (size_t b = 0; b < count; b++)
    delete blocks[b];
  delete[] blocks;
}

// `waiting`: threads of a block wait for each other; `together`: blocks do.
template <typename... A>
void run(void (*typed)(A...), bool waiting, bool together, size_t blocks, size_t threads, size_t shared_bytes,
         void *const *given) {
  blockDim.x = unsigned(threads), gridDim.x = unsigned(blocks);
  const bool falling = launches++ % 2;
  kernel = reinterpret_cast<void *>(typed), values = given;
  call = [](void *kernel, void *const *values) {
    call_with(reinterpret_cast<void (*)(A...)>(kernel), values, std::index_sequence_for<A...>{});
  };
  if (together)
    take_turns(0, blocks, threads, shared_bytes, falling);
  for (size_t b = 0; b < blocks && !together; b++) {
    if (waiting) {
      take_turns(b, b + 1, threads, shared_bytes, falling);
      continue;
    }
    blockIdx.x = unsigned(b);
    for (size_t i = 0; i < threads; i++) {
      threadIdx.x = unsigned(i);
      body();
    }
  }
}
} // namespace emulated
