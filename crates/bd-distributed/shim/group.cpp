// A group of processes on libtorch's own engine: a store to meet at, and Gloo to exchange tensors of the host. Its safe face is src/lib.rs.
//
// Tensors cross the border as `torch::Tensor *`, which is what tch's `C_tensor` points to.

#include <chrono>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <c10/util/Flags.h>

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

C10_DECLARE_int(caffe2_log_level);

namespace {

using std::chrono::milliseconds;

struct Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

void tell(const char *message, char *error, size_t capacity) {
  std::strncpy(error, message, capacity - 1);
  error[capacity - 1] = 0;
}

// 0, or -1 with a message.
template <class F>
int guarded(char *error, size_t capacity, F call) {
  try {
    call();
    return 0;
  } catch (const c10::Error &problem) {
    tell(problem.what_without_backtrace(), error, capacity);
  } catch (const std::exception &problem) {
    tell(problem.what(), error, capacity);
  } catch (...) {
    tell("an unknown exception", error, capacity);
  }
  return -1;
}

std::vector<uint8_t> bytes(const std::string &text) { return {text.begin(), text.end()}; }

std::string text(const std::vector<uint8_t> &bytes) { return {bytes.begin(), bytes.end()}; }

// Each process says at the store which one it is before Gloo connects, for Gloo waits long where one is missing, and says less.
void meet(c10d::Store &store, int rank, int size, milliseconds timeout) {
  auto found = text(store.compareSet("size", {}, bytes(std::to_string(size))));
  if (found != std::to_string(size))
    throw std::runtime_error("process " + std::to_string(rank) + " was started with a WORLD_SIZE of " + std::to_string(size) +
                             ", another one with " + found);
  if (store.add("rank " + std::to_string(rank), 1) != 1)
    throw std::runtime_error("two processes were started with a RANK of " + std::to_string(rank));
  int64_t here = store.add("here", 1);
  if (here == size)
    store.set("all are here", bytes("1"));
  try {
    store.wait({"all are here"}, timeout);
  } catch (const std::exception &) {
    here = store.add("here", 0);
    throw std::runtime_error(std::to_string(here) + " of " + std::to_string(size) + " processes came within " +
                             std::to_string(timeout.count() / 1000) + " s");
  }
}

}  // namespace

extern "C" {

// Opens a group, or null with a message. `serves`: whether this process holds the store that all meet at. `address`: that of this machine
// towards the others, or the name of an interface if `is_interface`. `attempt` tells apart what is started again at one store.
void *bd_group_open(const char *host, int port, int rank, int size, int serves, const char *attempt, const char *address, int is_interface,
                    int64_t timeout_ms, int quiet, char *error, size_t capacity) {
  auto *group = new Group;
  int status = guarded(error, capacity, [&] {
    if (quiet)
      FLAGS_caffe2_log_level = 3;
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = serves != 0;
    options.waitWorkers = false;
    options.timeout = milliseconds(timeout_ms);
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    group->store = c10::make_intrusive<c10d::PrefixStore>(std::string("bd/") + attempt, store);
    meet(*group->store, rank, size, options.timeout);
    auto of_gloo = c10d::ProcessGroupGloo::Options::create(options.timeout);
    of_gloo->threads = 1;
    of_gloo->devices.push_back(is_interface ? c10d::ProcessGroupGloo::createDeviceForInterface(address)
                                            : c10d::ProcessGroupGloo::createDeviceForHostname(address));
    auto own = c10::make_intrusive<c10d::PrefixStore>("gloo", group->store);
    group->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, of_gloo);
  });
  if (status == 0)
    return group;
  delete group;
  return nullptr;
}

void bd_group_close(void *group) { delete static_cast<Group *>(group); }

// `out`, of as many numbers as `own` times the size of the group, becomes everybody's, by rank.
int bd_group_gather(void *group, at::Tensor *own, at::Tensor *out, char *error, size_t capacity) {
  return guarded(error, capacity, [&] { static_cast<Group *>(group)->gloo->_allgather_base(*out, *own)->wait(); });
}

// `own` becomes the sum over all processes, in an order of Gloo's.
int bd_group_sum(void *group, at::Tensor *own, char *error, size_t capacity) {
  return guarded(error, capacity, [&] {
    std::vector<at::Tensor> tensors{*own};
    static_cast<Group *>(group)->gloo->allreduce(tensors)->wait();
  });
}

// Row r of `own` goes to process r; row r of `out` comes from it.
int bd_group_exchange(void *group, at::Tensor *own, at::Tensor *out, char *error, size_t capacity) {
  return guarded(error, capacity, [&] {
    std::vector<int64_t> all_equal;
    static_cast<Group *>(group)->gloo->alltoall_base(*out, *own, all_equal, all_equal)->wait();
  });
}
}
