// The stream that libtorch puts its work on, and how exactly it multiplies. Compiled without CUDA's headers: libtorch's
// device-independent interface answers, once its CUDA back end is loaded. Their faces are src/gpu/cuda.rs and src/cuda.rs.

#include <cstddef>
#include <cstring>
#include <exception>

#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>

// 0: done. 1: failed, and the message is in `error`.
extern "C" int bd_current_stream(int index, void **stream, char *error, size_t error_size) {
  try {
    c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
    *stream = guard.getStreamNativeHandle(guard.getStream(device));
    return 0;
  } catch (const std::exception &e) {
    std::strncpy(error, e.what(), error_size - 1);
  } catch (...) {
    std::strncpy(error, "what was thrown is no std::exception", error_size - 1);
  }
  return 1;
}

// Products of float32 in float32, whatever the environment says: TensorFloat-32 keeps three digits.
extern "C" void bd_full_precision() noexcept {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
}
