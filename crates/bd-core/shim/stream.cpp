// The stream that libtorch puts its work on. Compiled without CUDA's headers: libtorch's device-independent interface answers,
// once its CUDA back end is loaded. Its face is src/gpu/cuda.rs.

#include <cstddef>
#include <cstring>
#include <exception>

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
    return 1;
  }
}
