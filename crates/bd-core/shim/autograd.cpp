// A node of libtorch's autograd graph whose backward is a Rust closure. Its safe face is src/autograd.rs.
//
// Tensors cross the border as `torch::Tensor *`, which is what tch's `C_tensor` points to.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

// Given gradients of the outputs (null where absent), fills in gradients of the inputs (null where there is none; ours
// to delete). Not 0: failed, and the message is in `error`.
typedef int (*Call)(void *closure, at::Tensor *const *grads, size_t n_grads, at::Tensor **out, size_t n_out,
                    char *error, size_t error_size);
typedef void (*Drop)(void *closure);

std::string show(at::IntArrayRef sizes) {
  std::ostringstream text;
  text << sizes;
  return text.str();
}

struct RustNode final : public Node {
  RustNode(void *closure, Call call, Drop drop) : closure(closure), call(call), drop(drop) {}

  ~RustNode() override { release_variables(); }

  // After a backward that does not keep the graph, and at the end.
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closure) {
      drop(closure);
      closure = nullptr;
    }
  }

  std::string name() const override { return "bd::attach"; }

  // No guard of libtorch's dispatcher around the call: one would make recomputation inside it inert.
  // Under the node's lock, as libtorch's own nodes that keep something: backward may run on several threads at once.
  variable_list apply(variable_list &&grads) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!closure)
      throw std::runtime_error("backward ran a second time through a graph that the first has freed; "
                               "run the model again, or keep the graph in the first backward");
    if (at::GradMode::is_enabled())
      throw std::runtime_error("a gradient of a gradient was asked for (create_graph), but this operation has a "
                               "hand-written backward that is not itself differentiable");
    for (size_t i = 0; i < versions.size(); ++i)
      if (versions[i].current_version() != made_at[i])
        throw std::runtime_error((i < n_outputs ? "output " + std::to_string(i) : "input " + std::to_string(i - n_outputs)) +
                                 " of an operation with a hand-written backward was edited in place before the backward");
    std::vector<at::Tensor *> in;
    for (auto &grad : grads)
      in.push_back(grad.defined() ? &grad : nullptr);
    std::vector<at::Tensor *> out(shapes.size(), nullptr);
    char error[1024] = {0};
    int status = call(closure, in.data(), in.size(), out.data(), out.size(), error, sizeof error);
    variable_list result;
    for (auto *grad : out) {
      result.push_back(grad ? *grad : at::Tensor());
      delete grad;
    }
    if (status != 0)
      throw std::runtime_error(error);
    // libtorch would sum or expand a gradient of another shape into the input's without a word.
    for (size_t i = 0; i < shapes.size(); ++i)
      if (result[i].defined() && result[i].sizes() != at::IntArrayRef(shapes[i]))
        throw std::runtime_error("a hand-written backward gave a gradient of shape " + show(result[i].sizes()) +
                                 " for input " + std::to_string(i) + " of shape " + show(shapes[i]));
    return result;
  }

  void *closure;
  Call call;
  Drop drop;
  std::vector<std::vector<int64_t>> shapes; // of the inputs
  // Of the outputs, then of what the closure has saved.
  size_t n_outputs = 0;
  std::vector<c10::VariableVersion> versions;
  std::vector<uint32_t> made_at;
};

} // namespace

// Makes `outputs` depend on `inputs` through `closure`, which is then ours to drop. 0: done. 1: nothing to record (grad
// mode is off, or no input asks for a gradient), the closure is still the caller's. 2: failed, message in `error`, and
// the closure has been dropped.
extern "C" int bd_attach(at::Tensor *const *inputs, size_t n_inputs, at::Tensor *const *outputs, size_t n_outputs,
                         at::Tensor *const *saved, size_t n_saved, void *closure, Call call, Drop drop, char *error, size_t error_size) {
  try {
    std::vector<at::Tensor> all;
    bool wanted = false;
    for (size_t i = 0; i < n_inputs; ++i) {
      all.push_back(*inputs[i]);
      wanted = wanted || inputs[i]->requires_grad();
    }
    if (!wanted || !at::GradMode::is_enabled())
      return 1;
    std::shared_ptr<RustNode> node(new RustNode(closure, call, drop), torch::autograd::deleteNode);
    for (const auto &input : all)
      node->shapes.push_back(input.sizes().vec());
    node->set_next_edges(torch::autograd::collect_next_edges(all));
    node->n_outputs = n_outputs;
    auto watch = [&](const at::Tensor &tensor) {
      const auto &version = torch::autograd::impl::version_counter(tensor);
      node->versions.push_back(version);
      node->made_at.push_back(version.current_version());
    };
    for (size_t i = 0; i < n_outputs; ++i) {
      torch::autograd::set_history(*outputs[i], node);
      watch(*outputs[i]);
    }
    for (size_t i = 0; i < n_saved; ++i)
      watch(*saved[i]);
    return 0;
  } catch (const std::exception &e) {
    std::strncpy(error, e.what(), error_size - 1);
  } catch (...) {
    std::strncpy(error, "what was thrown is no std::exception", error_size - 1);
  }
  return 2;
}
