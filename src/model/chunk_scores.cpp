#include "model/chunk_scores.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "model/kernels/chunk_rows.h"
#include "model/kernels/kernel_for.h"
#include "model/linear.h"
#include "model/vocabulary.h"
#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using kernels::kernel_for;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls `use(begin, count)` for pieces of the tokens' rows.
template <typename Use>
void for_pieces(const at::Tensor& rows, std::int64_t vocabulary, Use use) {
  const std::int64_t tokens = rows.size(0), step = rows_at_once(rows, vocabulary);
  for (std::int64_t begin = 0; begin < tokens; begin += step) use(begin, std::min(step, tokens - begin));
}

std::int64_t rows_a_thread(std::int64_t columns) {
  return 1 + kernels::elements_a_thread / columns;
}

at::Tensor wide(const at::Tensor& logits) {
  return logits.to(at::promoteTypes(logits.scalar_type(), at::kFloat));
}

/// Where each token's label is in the chunk, and whether it is there.
struct Place {
  at::Tensor column, here;
  /// `local`: labels relative to the chunk's first row.
  Place(const at::Tensor& local, std::int64_t rows) {
    here = local.ge(0).logical_and_(local.lt(rows));
    column = local.clamp(0, rows - 1).unsqueeze(1);
  }
};

/// What is known of some tokens before or after a chunk.
struct Known {
  at::Tensor normalizer, target;
};

void add_logits(const at::Tensor& narrow, double cap, const at::Tensor& local, const Known& before,
                const Known& after) {
  const std::int64_t rows = narrow.size(0), columns = narrow.size(1);
  if (const auto kernel = kernel_for(narrow); kernel && cap == 0) {
    const kernels::ChunkRows chunk{narrow.data_ptr(), columns, local.const_data_ptr<std::int64_t>()};
    const kernels::ChunkSums sums{before.normalizer.const_data_ptr<float>(),
                                  before.target.const_data_ptr<float>(), after.normalizer.data_ptr<float>(),
                                  after.target.data_ptr<float>()};
    if (kernel->device) return kernel->device->add_chunk_rows(chunk, sums, rows, kernel->type);
    return at::parallel_for(0, rows, rows_a_thread(columns), [&](std::int64_t begin, std::int64_t end) {
      kernels::add_chunk_rows(chunk, sums, begin, end - begin, kernel->type);
    });
  }
  at::Tensor logits = wide(narrow);
  if (cap > 0) logits = logits.div(cap).tanh_().mul_(cap);
  const Place place(local, columns);
  after.target.copy_(at::where(place.here, logits.gather(1, place.column).squeeze(1), before.target));
  after.normalizer.copy_(at::logaddexp(before.normalizer, logits.logsumexp(1)));
}

struct ScoreGradients {
  at::Tensor sum, of_sum, of_target;
};

/// May overwrite the logits.
at::Tensor logit_gradients(const at::Tensor& narrow, double cap, const at::Tensor& local,
                           const ScoreGradients& given) {
  const std::int64_t rows = narrow.size(0), columns = narrow.size(1);
  if (const auto kernel = kernel_for(narrow); kernel && cap == 0) {
    const kernels::ChunkRows chunk{narrow.data_ptr(), columns, local.const_data_ptr<std::int64_t>()};
    const kernels::ChunkGradients gradients{given.sum.const_data_ptr<float>(),
                                            given.of_sum.const_data_ptr<float>(),
                                            given.of_target.const_data_ptr<float>()};
    if (kernel->device) {
      kernel->device->chunk_rows_backward(chunk, gradients, rows, kernel->type);
      return narrow;
    }
    at::parallel_for(0, rows, rows_a_thread(columns), [&](std::int64_t begin, std::int64_t end) {
      kernels::chunk_rows_backward(chunk, gradients, begin, end - begin, kernel->type);
    });
    return narrow;
  }
  at::Tensor logits = wide(narrow), slope;
  if (cap > 0) {
    logits = logits.div(cap).tanh_();
    slope = 1 - logits.square();
    logits.mul_(cap);
  }
  const Place place(local, columns);
  logits = logits.sub(given.sum.unsqueeze(1)).exp_().mul_(given.of_sum.unsqueeze(1));
  logits.scatter_add_(1, place.column,
                      at::where(place.here, given.of_target, 0).to(logits.scalar_type()).unsqueeze(1));
  if (cap > 0) logits.mul_(slope);
  return logits.to(narrow.scalar_type());
}

struct AddedChunk : torch::autograd::Function<AddedChunk> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& normalizer, const at::Tensor& target,
                               const at::Tensor& weight, const at::Tensor& labels, const ChunkProduct& chunk,
                               bool keep, const sharding::GradientSinkPtr& sink) {
    const at::Tensor matrix = weight.to(chunk.compute), local = (labels - chunk.first).contiguous();
    const Known before{normalizer.contiguous(), target.contiguous()},
        after{at::empty_like(before.normalizer), at::empty_like(before.target)};
    at::Tensor kept;
    for_pieces(hidden, weight.size(0), [&](std::int64_t begin, std::int64_t count) {
      const auto piece = [&](const at::Tensor& of) { return of.narrow(0, begin, count); };
      const at::Tensor logits = multiply(piece(hidden).to(chunk.compute), matrix, {}, false);
      add_logits(logits, chunk.cap, piece(local), {piece(before.normalizer), piece(before.target)},
                 {piece(after.normalizer), piece(after.target)});
      if (keep && count == hidden.size(0)) kept = logits;
    });
    context->set_materialize_grads(false);
    context->save_for_backward({hidden, normalizer, after.normalizer, weight, local, kept});
    context->saved_data["compute"] = chunk.compute;
    context->saved_data["cap"] = chunk.cap;
    context->saved_data["sink"] = sharding::kept(sink);
    return {hidden, after.normalizer, after.target};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &normalizer = saved[1], &sum = saved[2], &weight = saved[3],
                     &local = saved[4], &kept = saved[5];
    const auto compute = context->saved_data["compute"].toScalarType();
    const double cap = context->saved_data["cap"].toDouble();
    const auto given = [&](std::size_t i) {
      return gradients[i].defined() ? gradients[i].contiguous() : at::zeros_like(sum);
    };
    const ScoreGradients scores{sum, given(1), given(2)};
    const at::Tensor matrix = weight.to(compute);
    at::Tensor dx, dw;
    if (context->needs_input_grad(0))
      dx = gradients[0].defined() ? gradients[0].contiguous() : at::zeros_like(hidden);
    const bool trained = context->needs_input_grad(3);
    const sharding::GradientSinkPtr sink = sharding::sink_in(context->saved_data["sink"]);
    sharding::GradientSink::Slot* slot = sink && trained ? sink->find(weight) : nullptr;
    if (trained && !slot) dw = at::zeros(weight.sizes(), weight.options().dtype(at::kFloat));
    for_pieces(hidden, weight.size(0), [&](std::int64_t begin, std::int64_t count) {
      const auto piece = [&](const at::Tensor& of) { return of.narrow(0, begin, count); };
      const at::Tensor x = piece(hidden).to(compute);
      const at::Tensor made =
          logit_gradients(kept.defined() ? kept : multiply(x, matrix, {}, false), cap, piece(local),
                          {piece(sum), piece(scores.of_sum), piece(scores.of_target)});
      if (dx.defined()) piece(dx).add_(input_gradient(made, matrix, false));
      if (!trained) return;
      add_product(made, x, slot ? slot->into : dw, slot ? slot->add : true);
      if (slot) slot->add = slot->written = true;
    });
    const at::Tensor here = local.ge(0).logical_and_(local.lt(weight.size(0)));
    return {dx,
            scores.of_sum * at::exp(normalizer - sum),
            scores.of_target.masked_fill(here, 0),
            dw.defined() ? dw.to(weight.scalar_type()) : dw,
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

ChunkScores add_chunk(const ChunkScores& before, const ChunkProduct& chunk, const at::Tensor& labels,
                      bool keep, const sharding::GradientSinkPtr& sink) {
  const variable_list made = AddedChunk::apply(before.hidden, before.normalizer, before.target, chunk.weight,
                                               labels, chunk, keep && at::GradMode::is_enabled(), sink);
  return {made[0], made[1], made[2]};
}

ChunkHits add_chunk_hits(const ChunkHits& before, const at::Tensor& hidden, const ChunkProduct& chunk,
                         const at::Tensor& labels) {
  const at::NoGradGuard guard;
  const at::Tensor matrix = chunk.weight.to(chunk.compute), local = labels - chunk.first;
  ChunkHits after{at::empty_like(before.largest), at::empty_like(before.hit)};
  for_pieces(hidden, matrix.size(0), [&](std::int64_t begin, std::int64_t count) {
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
