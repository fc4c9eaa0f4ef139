// What a compiler calls before each access to memory under `-fsanitize=thread`, linked without ThreadSanitizer: accesses go to the host
// (hooks.rs) with the thread of the kernel that makes them. Comes after cuda_as_cpp.cpp and before emulated.cpp.

namespace watch {
enum How : uint32_t { READ, WRITE, ATOMIC_READ, ATOMIC_WRITE, ALIKE_CHANGED, ALIKE_SAME };

// As in hooks.rs.
struct Hooks {
  void *watch;
  void (*access)(void *watch, uint32_t thread, uintptr_t at, size_t bytes, uint32_t how);
  void (*fence)(void *watch, uint32_t thread);
  void (*meet)(void *watch, uint32_t block);
};
static const Hooks *hooks;
// What the running thread of a kernel sees of the GPU.
static struct {
  Index thread_index, block_index, block_dim, grid_dim;
  unsigned char *shared;
} now;
// The thread that runs, and the end of its stack; null while none runs.
static uint32_t thread;
static const char *stack_end;

UNWATCHED static void access(const void *at, size_t bytes, How how) {
  const char *to = static_cast<const char *>(at), *first = reinterpret_cast<const char *>(&now);
  // What lies on the stack is the thread's own, and `now` says to each thread something else.
  const bool is_own = static_cast<const char *>(__builtin_frame_address(0)) <= to && to < stack_end;
  if (stack_end && !is_own && !(first <= to && to < first + sizeof now))
    hooks->access(hooks->watch, thread, reinterpret_cast<uintptr_t>(at), bytes, how);
}
} // namespace watch

#define HOOK extern "C" __attribute__((visibility("hidden"))) UNWATCHED
#define HOOKS_OF(bytes)                                                                                                \
  HOOK void __tsan_read##bytes(void *at) { watch::access(at, bytes, watch::READ); }                                    \
  HOOK void __tsan_write##bytes(void *at) { watch::access(at, bytes, watch::WRITE); }                                  \
  HOOK void __tsan_unaligned_read##bytes(void *at) { watch::access(at, bytes, watch::READ); }                          \
  HOOK void __tsan_unaligned_write##bytes(void *at) { watch::access(at, bytes, watch::WRITE); }
HOOKS_OF(1)
HOOKS_OF(2)
HOOKS_OF(4)
HOOKS_OF(8)
HOOKS_OF(16)
HOOK void __tsan_read_range(void *at, size_t bytes) { watch::access(at, bytes, watch::READ); }
HOOK void __tsan_write_range(void *at, size_t bytes) { watch::access(at, bytes, watch::WRITE); }
// Clang calls these for copies of structures.
HOOK void *__tsan_memcpy(void *to, const void *from, size_t bytes) {
  watch::access(from, bytes, watch::READ), watch::access(to, bytes, watch::WRITE);
  return std::memcpy(to, from, bytes);
}
HOOK void *__tsan_memset(void *to, int value, size_t bytes) {
  watch::access(to, bytes, watch::WRITE);
  return std::memset(to, value, bytes);
}
HOOK void __tsan_init() {}
HOOK void __tsan_func_entry(void *) {}
HOOK void __tsan_func_exit(void *) {}
