#include "model/attention.h"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "core/error.h"
#include "model/capped_attention.h"
#include "model/device_attention.h"
#include "model/host_attention.h"
#include "model/pair_attention.h"
#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

/// Heads before positions, as scaled_dot_product_attention wants them; key and value heads repeated to the
/// number of query heads.
struct Heads {
  at::Tensor query, key, value;
};

at::Tensor slice(const at::Tensor& tensor, std::int64_t begin, std::int64_t end) {
  return tensor.narrow(2, begin, end - begin);
}

/// Blocks of queries against the only keys that they can see, so the work and the mask grow with the window,
/// not the sequence.
at::Tensor attend_in_window(const Heads& heads, std::int64_t window, double scale) {
  const std::int64_t length = heads.query.size(2), block = std::max<std::int64_t>(window, 64);
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < length; begin += block) {
    const std::int64_t end = std::min(begin + block, length),
                       first = std::max<std::int64_t>(0, begin - window + 1);
    const auto options = at::TensorOptions().dtype(at::kLong).device(heads.query.device());
    const at::Tensor distance =
        at::arange(begin, end, options).unsqueeze(1) - at::arange(first, end, options);
    const at::Tensor visible = (distance >= 0).logical_and_(distance < window);
    parts.push_back(
        at::scaled_dot_product_attention(slice(heads.query, begin, end), slice(heads.key, first, end),
                                         slice(heads.value, first, end), visible, 0.0, false, scale));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts, 2);
}

at::Tensor attend_whole(const Heads& heads, std::int64_t window, double scale, double cap) {
  if (cap > 0) return capped_attention(heads.query, heads.key, heads.value, window, scale, cap);
  if (window > 0 && window < heads.query.size(2)) return attend_in_window(heads, window, scale);
  return at::scaled_dot_product_attention(heads.query, heads.key, heads.value, std::nullopt, 0.0, true,
                                          scale);
}

at::Tensor attend_by_document(const Heads& heads, const at::Tensor& bounds, std::int64_t window, double scale,
                              double cap) {
  const at::Tensor host = checked_bounds(bounds, heads.query.size(2));
  const std::int64_t* bound = host.data_ptr<std::int64_t>();
  const std::int64_t documents = host.numel() - 1;
  std::vector<at::Tensor> parts;
  for (std::int64_t i = 0; i < documents; ++i) {
    if (bound[i] == bound[i + 1]) continue;
    const Heads document{slice(heads.query, bound[i], bound[i + 1]), slice(heads.key, bound[i], bound[i + 1]),
                         slice(heads.value, bound[i], bound[i + 1])};
    parts.push_back(attend_whole(document, window, scale, cap));
  }
  return at::cat(parts, 2);
}

}  // namespace

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  const sharding::Context& context, std::int64_t window, double scale, double cap) {
  if (cap == 0 && attends_on_device(query))
    return device_attention(query, key, value, context, window, scale);
  if (cap == 0 && attends_in_pairs(query, scale))
    return pair_attention(query, key, value, context.document_bounds, window, scale, context.kept.get());
  if (cap == 0 && query.is_cpu())
    return host_attention(query, key, value, context.document_bounds, window, scale, context.kept.get());
  const std::int64_t copies = query.size(2) / key.size(2);
  const bool packed = context.document_bounds.defined();
  const auto arrange = [&](const at::Tensor& tensor, std::int64_t repeat) {
    at::Tensor rows = packed ? tensor.reshape({1, -1, tensor.size(2), tensor.size(3)}) : tensor;
    if (repeat > 1) rows = rows.repeat_interleave(repeat, 2);
    return rows.transpose(1, 2);
  };
  const Heads heads{arrange(query, 1), arrange(key, copies), arrange(value, copies)};
  const at::Tensor result = packed ? attend_by_document(heads, context.document_bounds, window, scale, cap)
                                   : attend_whole(heads, window, scale, cap);
  return result.transpose(1, 2).reshape(query.sizes());
}

at::Tensor attend_to_past(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          std::int64_t window, double scale, double cap) {
  if (multiplies_slowly(query))
    return attend_to_past(query.to(at::kFloat), key.to(at::kFloat), value.to(at::kFloat), window, scale, cap)
        .to(at::kHalf);
  const std::int64_t copies = query.size(2) / key.size(2), all = key.size(1), fresh = query.size(1);
  const auto arrange = [](const at::Tensor& tensor, std::int64_t repeat) {
    return (repeat > 1 ? tensor.repeat_interleave(repeat, 2) : tensor).transpose(1, 2);
  };
  if (cap > 0)
    return capped_attention(arrange(query, 1), arrange(key, copies), arrange(value, copies), window, scale,
                            cap)
        .transpose(1, 2);
  const auto options = at::TensorOptions().dtype(at::kLong).device(query.device());
  const at::Tensor distance =
      at::arange(all - fresh, all, options).unsqueeze(1) - at::arange(0, all, options);
  at::Tensor visible = distance >= 0;
  if (window > 0) visible = visible.logical_and(distance < window);
  return at::scaled_dot_product_attention(arrange(query, 1), arrange(key, copies), arrange(value, copies),
                                          visible, 0.0, false, scale)
      .transpose(1, 2);
}

}  // namespace trireme::model
