#include "model/device_attention.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <tuple>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device.h"
#include "model/pair_attention.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t largest_flash_head = 256, flash_vector = 8;
/// Compute capability.
constexpr int least_flash_major = 8;

/// Rows [batch, positions, heads, size] that are documents of one length, or, with bounds (int32, on the
/// device), [positions, heads, size] of all documents.
struct FlashForm {
  at::Tensor bounds;
  /// At least that of the longest document.
  std::int64_t length = 0;
  std::int64_t window = 0;
  double scale = 1;

  std::optional<at::Tensor> given_bounds() const {
    return bounds.defined() ? std::optional(bounds) : std::nullopt;
  }
  /// How many positions before its own a query sees; nothing: all.
  std::optional<std::int64_t> seen_before() const {
    return window > 0 && window < length ? std::optional(window - 1) : std::nullopt;
  }
  std::optional<std::int64_t> seen_after() const {
    return seen_before() ? std::optional<std::int64_t>(0) : std::nullopt;
  }
};

struct FlashResults {
  at::Tensor rows, log_sums;
};

FlashResults flash_forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const FlashForm& form) {
  constexpr double dropout = 0.0;
  constexpr bool causal = true, debug_mask = false;
  const auto made = at::_flash_attention_forward(query, key, value, form.given_bounds(), form.given_bounds(),
                                                 form.length, form.length, dropout, causal, debug_mask,
                                                 form.scale, form.seen_before(), form.seen_after());
  return {std::get<0>(made), std::get<1>(made)};
}

struct DeviceAttention : torch::autograd::Function<DeviceAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const FlashForm& form, sharding::KeptPieces* pieces) {
    const bool known = pieces && pieces->complete();
    FlashResults made;
    if (known) {
      made.rows = pieces->next();
      made.log_sums = pieces->next();
    } else {
      made = flash_forward(query, key, value, form);
      if (pieces) pieces->keep(made.rows), pieces->keep(made.log_sums);
    }
    context->save_for_backward({query, key, value, made.rows, made.log_sums, form.bounds});
    context->saved_data["length"] = form.length, context->saved_data["window"] = form.window;
    context->saved_data["scale"] = form.scale;
    return known ? made.rows.detach() : made.rows;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const FlashForm form{saved[5], context->saved_data["length"].toInt(),
                         context->saved_data["window"].toInt(), context->saved_data["scale"].toDouble()};
    const at::Tensor no_random = at::empty({0}, saved[0].options().dtype(at::kUInt64));
    constexpr double dropout = 0.0;
    constexpr bool causal = true;
    const auto [query, key, value] = at::_flash_attention_backward(
        gradients[0].contiguous(), saved[0], saved[1], saved[2], saved[3], saved[4], form.bounds, form.bounds,
        form.length, form.length, dropout, causal, no_random, no_random, form.scale, form.seen_before(),
        form.seen_after());
    return {query, key, value, at::Tensor(), at::Tensor()};
  }
};

/// A kernel for documents of one position each numbers its sums otherwise.
constexpr std::int64_t least_length = 2;

/// Document bounds as the kernels take them.
struct PackedBounds {
  at::Tensor on_device;
  std::int64_t longest = least_length;

  PackedBounds(const at::Tensor& bounds, const at::Tensor& query)
      : on_device(bounds.to(query.device(), at::kInt).contiguous()) {
    const at::Tensor host = checked_bounds(bounds, query.size(0) * query.size(1));
    longest = std::max(longest, host.diff().max().item<std::int64_t>());
  }
};

/// Made once for all layers and both passes of a micro-batch: to look at numbers of a device, or to send it
/// some, makes the host wait.
class LastBounds {
 public:
  PackedBounds of(const at::Tensor& bounds, const at::Tensor& query) {
    const std::lock_guard lock(mutex_);
    const std::int64_t version = bounds.is_inference() ? 0 : static_cast<std::int64_t>(bounds._version());
    if (!made_ || name_->_unsafe_get_target() != bounds.unsafeGetTensorImpl() || version_ != version ||
        positions_ != query.size(0) * query.size(1) || made_->on_device.device() != query.device()) {
      made_.emplace(bounds, query);
      name_.emplace(bounds.getIntrusivePtr());
      version_ = version, positions_ = query.size(0) * query.size(1);
    }
    return *made_;
  }

 private:
  std::mutex mutex_;
  std::optional<PackedBounds> made_;
  /// Keeps the place of what it names, so that nothing else is taken for it.
  std::optional<c10::weak_intrusive_ptr<at::TensorImpl>> name_;
  std::int64_t version_ = 0, positions_ = 0;
};

LastBounds& last_bounds() {
  // Never freed: a device's memory cannot be given back when the program ends.
  static auto& last = *new LastBounds;
  return last;
}

}  // namespace

bool flash_takes_heads_of(std::int64_t size) {
  return size % flash_vector == 0 && size <= largest_flash_head;
}

bool attends_on_device(const at::Tensor& query) {
  const Device* device = compute_device();
  const bool halves = query.scalar_type() == at::kBFloat16 || query.scalar_type() == at::kHalf;
  return query.is_cuda() && halves && device && device->info().major >= least_flash_major &&
         query.numel() > 0 && flash_takes_heads_of(query.size(3));
}

at::Tensor device_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const sharding::Context& context, std::int64_t window, double scale) {
  const bool packed = context.document_bounds.defined();
  FlashForm form;
  if (packed) {
    const PackedBounds bounds = last_bounds().of(context.document_bounds, query);
    form.bounds = bounds.on_device, form.length = bounds.longest;
  } else {
    form.length = query.size(1);
  }
  form.window = window, form.scale = scale;
  // A slice of a fused projection would keep all of it.
  const auto arrange = [&](const at::Tensor& tensor) {
    return (packed ? tensor.reshape({-1, tensor.size(2), tensor.size(3)}) : tensor).contiguous();
  };
  return DeviceAttention::apply(arrange(query), arrange(key), arrange(value), form, context.kept.get())
      .reshape(query.sizes());
}

}  // namespace trireme::model
