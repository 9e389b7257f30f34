#include "model/chunk_scores.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/linear.h"
#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Logits that are there at once, as in cross_entropy.cpp.
constexpr std::int64_t elements_at_once = std::int64_t{1} << 24;

/// Calls `use(begin, count)` for pieces of the tokens.
template <typename Use>
void for_pieces(std::int64_t tokens, std::int64_t vocabulary, Use use) {
  const std::int64_t step = std::max<std::int64_t>(64, elements_at_once / vocabulary);
  for (std::int64_t begin = 0; begin < tokens; begin += step) use(begin, std::min(step, tokens - begin));
}

at::Tensor wide(const at::Tensor& logits) {
  return logits.to(at::promoteTypes(logits.scalar_type(), at::kFloat));
}

/// Where each token's label is in the chunk, and whether it is there.
struct Place {
  at::Tensor column, here;
  Place(const at::Tensor& labels, std::int64_t first, std::int64_t rows) {
    const at::Tensor local = labels - first;
    here = local.ge(0).logical_and_(local.lt(rows));
    column = local.clamp_(0, rows - 1).unsqueeze(1);
  }
};

struct AddedChunk : torch::autograd::Function<AddedChunk> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& normalizer, const at::Tensor& target,
                               const at::Tensor& weight, const at::Tensor& labels, std::int64_t first,
                               at::ScalarType compute, double cap, const sharding::GradientSinkPtr& sink) {
    const at::Tensor matrix = weight.to(compute);
    at::Tensor sum = at::empty_like(normalizer), picked = at::empty_like(target);
    for_pieces(hidden.size(0), weight.size(0), [&](std::int64_t begin, std::int64_t count) {
      const auto piece = [&](const at::Tensor& of) { return of.narrow(0, begin, count); };
      at::Tensor logits = wide(multiply(piece(hidden).to(compute), matrix, {}, false));
      if (cap > 0) logits.div_(cap).tanh_().mul_(cap);
      const Place place(piece(labels), first, weight.size(0));
      piece(picked).copy_(at::where(place.here, logits.gather(1, place.column).squeeze(1), piece(target)));
      piece(sum).copy_(at::logaddexp(piece(normalizer), logits.logsumexp(1)));
    });
    context->set_materialize_grads(false);
    context->save_for_backward({hidden, normalizer, sum, weight, labels});
    context->saved_data["first"] = first;
    context->saved_data["compute"] = compute;
    context->saved_data["cap"] = cap;
    context->saved_data["sink"] = sharding::kept(sink);
    return {hidden, sum, picked};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &normalizer = saved[1], &sum = saved[2], &weight = saved[3],
                     &labels = saved[4];
    const auto compute = context->saved_data["compute"].toScalarType();
    const double cap = context->saved_data["cap"].toDouble();
    const auto given = [&](std::size_t i) {
      return gradients[i].defined() ? gradients[i] : at::zeros_like(sum);
    };
    const at::Tensor of_sum = given(1), of_picked = given(2), matrix = weight.to(compute);
    const Place all(labels, context->saved_data["first"].toInt(), weight.size(0));
    at::Tensor dx, dw;
    if (context->needs_input_grad(0))
      dx = gradients[0].defined() ? gradients[0].contiguous() : at::zeros_like(hidden);
    const bool trained = context->needs_input_grad(3);
    const sharding::GradientSinkPtr sink = sharding::sink_in(context->saved_data["sink"]);
    sharding::GradientSink::Slot* slot = sink && trained ? sink->find(weight) : nullptr;
    if (trained && !slot) dw = at::zeros(weight.sizes(), weight.options().dtype(at::kFloat));
    for_pieces(hidden.size(0), weight.size(0), [&](std::int64_t begin, std::int64_t count) {
      const auto piece = [&](const at::Tensor& of) { return of.narrow(0, begin, count); };
      const at::Tensor x = piece(hidden).to(compute);
      at::Tensor logits = wide(multiply(x, matrix, {}, false)), slope;
      if (cap > 0) {
        logits.div_(cap).tanh_();
        slope = 1 - logits.square();
        logits.mul_(cap);
      }
      logits.sub_(piece(sum).unsqueeze(1)).exp_().mul_(piece(of_sum).unsqueeze(1));
      logits.scatter_add_(
          1, piece(all.column),
          at::where(piece(all.here), piece(of_picked), 0).to(logits.scalar_type()).unsqueeze(1));
      if (cap > 0) logits.mul_(slope);
      const at::Tensor made = logits.to(compute);
      if (dx.defined()) piece(dx).add_(input_gradient(made, matrix, false));
      if (!trained) return;
      add_product(made, x, slot ? slot->into : dw, slot ? slot->add : true);
      if (slot) slot->add = slot->written = true;
    });
    return {dx,
            of_sum * at::exp(normalizer - sum),
            of_picked.masked_fill(all.here, 0),
            dw.defined() ? dw.to(weight.scalar_type()) : dw,
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

ChunkScores add_chunk(const ChunkScores& before, const ChunkProduct& chunk, const at::Tensor& labels,
                      const sharding::GradientSinkPtr& sink) {
  const variable_list made = AddedChunk::apply(before.hidden, before.normalizer, before.target, chunk.weight,
                                               labels, chunk.first, chunk.compute, chunk.cap, sink);
  return {made[0], made[1], made[2]};
}

ChunkHits add_chunk_hits(const ChunkHits& before, const at::Tensor& hidden, const ChunkProduct& chunk,
                         const at::Tensor& labels) {
  const at::NoGradGuard guard;
  const at::Tensor matrix = chunk.weight.to(chunk.compute), local = labels - chunk.first;
  ChunkHits after{at::empty_like(before.largest), at::empty_like(before.hit)};
  for_pieces(hidden.size(0), matrix.size(0), [&](std::int64_t begin, std::int64_t count) {
    const auto piece = [&](const at::Tensor& of) { return of.narrow(0, begin, count); };
    const at::Tensor logits = wide(multiply(piece(hidden).to(chunk.compute), matrix, {}, false));
    // Of equal ones the first counts, within a chunk and over all.
    const at::Tensor likely = logits.argmax(1), value = logits.gather(1, likely.unsqueeze(1)).squeeze(1);
    const at::Tensor larger = value.gt(piece(before.largest));
    piece(after.largest).copy_(at::where(larger, value, piece(before.largest)));
    piece(after.hit).copy_(at::where(larger, likely.eq(piece(local)), piece(before.hit)));
  });
  return after;
}

}  // namespace trireme::model
