#include "model/work.h"

#include <algorithm>

#include <ATen/Parallel.h>

#include "model/device_attention.h"
#include "model/kernels/attention_tiles.h"
#include "model/kernels/pair_products.h"
#include "model/layout.h"
#include "model/pair_linear.h"
#include "model/vocabulary.h"
#include "sharding/layout.h"

namespace trireme::model {
namespace {

using sharding::Product;
using sharding::UnitWork;

class Worker {
 public:
  Worker(const ModelSpec& spec, const WorkShape& shape, const std::optional<LoraSettings>& lora)
      : spec_(spec),
        shape_(shape),
        lora_(lora),
        tokens_(static_cast<double>(shape.rows) * static_cast<double>(shape.sequence)),
        element_(static_cast<double>(size_of(shape.compute))),
        hidden_(static_cast<double>(spec.hidden)),
        queries_(static_cast<double>(spec.heads * spec.head_size)),
        keys_(static_cast<double>(spec.key_value_heads * spec.head_size)),
        inner_(static_cast<double>(spec.intermediate)) {}

  UnitWork embedding() const {
    UnitWork work;
    work.weights_trained = !lora_;
    work.input_gradient = false;
    work.elementwise_bytes = 2 * tokens_ * hidden_ * element_;
    work.kernels = 2;
    work.output_bytes = bytes(tokens_ * hidden_);
    if (lora_) return work;
    const std::uint64_t table = weight_bytes(embedding_layout(spec_).parameters);
    if (!shape_.in_place) work.backward_bytes = table;
    work.gradient_bytes = static_cast<double>(table) / element_ * sizeof(float);
    return work;
  }

  UnitWork block(std::int64_t layer) const {
    UnitWork work;
    work.weights_trained = !lora_;
    work.input_gradient = !(lora_ && layer == 0);
    const BlockLayout layout = block_layout(spec_, layer);
    add_products(work.products, layout.parameters, spec_.transposed, shares_of(layout));
    const bool made_apart = !lora_ && !shape_.in_place;
    double trained_bytes = made_apart ? static_cast<double>(weight_bytes(layout.parameters)) : 0;
    if (lora_) {
      const LoraLayout adapters = lora_layout(spec_, *lora_, layer);
      add_products(work.adapter_products, adapters.parameters, false, shares_of(layout, adapters));
      if (!shape_.in_place) trained_bytes = static_cast<double>(weight_bytes(adapters.parameters));
    }
    const double visible = visible_pairs(spec_.windows[static_cast<std::size_t>(layer)]);
    work.attention_flops = 4 * visible * queries_;
    work.elementwise_bytes = element_ * tokens_ * passes();
    work.kernels = spec_.gated ? 18 : 12;
    work.input_bytes = work.output_bytes = bytes(tokens_ * hidden_);

    const std::uint64_t attention_bytes = attention_results();
    if (can_keep_attention(spec_.windows[static_cast<std::size_t>(layer)]))
      work.attention_bytes = attention_bytes;
    work.kept_bytes = kept_by_norms() +
                      bytes(tokens_ * (queries_ + (repeated() ? 2 * queries_ : 2 * keys_))) +
                      attention_bytes + kept_by_mlp();
    if (lora_)
      for (const Product& product : work.adapter_products)
        work.kept_bytes += bytes(product.m * static_cast<double>(lora_->rank) / 2);
    work.forward_bytes = bytes(tokens_ * inner_) + static_cast<std::uint64_t>(4 * tokens_ * hidden_);
    work.backward_bytes = bytes(tokens_ * inner_ * (spec_.gated ? 3 : 2)) +
                          static_cast<std::uint64_t>(4 * tokens_ * hidden_ + trained_bytes);
    if (shape_.in_place && !shape_.attends_in_pairs) attend_on_host(work);
    if (shape_.host_threads > 0 && spec_.experts == 0) go_back_on_host(work);
    // The first key that each position sees.
    if (shape_.attends_in_pairs && narrow(spec_.windows[static_cast<std::size_t>(layer)]))
      work.kept_bytes += static_cast<std::uint64_t>(4 * shape_.sequence);
    return work;
  }

  /// Loss and gradients are made in one pass over pieces of the rows, so backward finds them made.
  UnitWork head() const {
    UnitWork work;
    work.weights_trained = !lora_;
    work.scores = true;
    work.products = {{tokens_, static_cast<double>(spec_.vocabulary), hidden_}};
    const double vocabulary = static_cast<double>(spec_.vocabulary);
    const double rows = rows_at_once(spec_.vocabulary);
    const double matrix = vocabulary * hidden_;
    work.elementwise_bytes = 2 * tokens_ * hidden_ * element_ + tokens_ * vocabulary * (6 * 4 + 2 * element_);
    work.kernels = static_cast<int>(12 * std::max(1.0, tokens_ / rows));
    work.input_bytes = bytes(tokens_ * hidden_);
    work.kept_bytes = bytes(2 * tokens_ * hidden_) + static_cast<std::uint64_t>(4 * tokens_);
    const bool made_apart = !lora_ && !shape_.in_place;
    if (made_apart) work.kept_bytes += bytes(matrix);
    const double logits =
        rows * vocabulary * (shape_.in_place ? (spec_.logit_cap > 0 ? 3 : 1) * element_ : 4 + 2 * element_);
    work.forward_bytes = static_cast<std::uint64_t>(logits + (made_apart ? 4 * matrix : 0));
    if (multiplies_in_pairs())
      work.forward_bytes += pair_product_bytes(static_cast<std::int64_t>(rows), spec_.vocabulary) *
                            static_cast<std::size_t>(shape_.host_threads);
    work.backward_bytes = bytes(tokens_ * hidden_) + (made_apart ? bytes(matrix) : 0);
    return work;
  }

  /// Adds its rows to what the chunks before it gave.
  UnitWork embedding_chunk(const VocabularyChunk& chunk) const {
    UnitWork work;
    work.weights_trained = !lora_;
    work.input_gradient = false;
    work.elementwise_bytes = 4 * tokens_ * hidden_ * element_;
    work.kernels = 8;
    if (chunk.first == 0) work.output_bytes = bytes(tokens_ * hidden_);
    work.kept_bytes = static_cast<std::uint64_t>(8 * tokens_);
    work.forward_bytes = bytes(tokens_ * hidden_);
    if (lora_) return work;
    const double elements = static_cast<double>(chunk.rows) * hidden_;
    work.backward_bytes = bytes(2 * tokens_ * hidden_) + (shape_.in_place ? 0 : bytes(elements));
    work.gradient_bytes = elements * sizeof(float);
    return work;
  }

  UnitWork head_norm() const {
    UnitWork work;
    work.weights_trained = !lora_;
    work.elementwise_bytes = tokens_ * hidden_ * (3 * element_ + 4);
    work.kernels = 4;
    work.input_bytes = bytes(tokens_ * hidden_);
    // What the chunks pass on is wide, and each token has its normalizer and its label's logit.
    work.output_bytes = static_cast<std::uint64_t>(4 * tokens_ * (hidden_ + 2));
    work.kept_bytes = static_cast<std::uint64_t>(4 * tokens_);
    work.forward_bytes = work.backward_bytes = bytes(tokens_ * hidden_);
    return work;
  }

  /// Logits are made for the sum of their exponentials, and kept or made once more for their gradients.
  UnitWork head_chunk(const VocabularyChunk& chunk) const {
    UnitWork work;
    work.weights_trained = !lora_;
    const bool keeps = keeps_logits(spec_, shape_.rows * shape_.sequence);
    work.makes_again = !keeps;
    work.scores = true;
    const auto columns = static_cast<double>(chunk.rows);
    work.products = {{tokens_, columns, hidden_}};
    const double rows = rows_at_once(chunk.rows);
    const bool has_kernel = shape_.in_place && spec_.logit_cap == 0;
    work.elementwise_bytes = tokens_ * hidden_ * (4 + element_) +
                             tokens_ * columns * (has_kernel ? 3 * element_ : 4 * 4 + element_);
    work.kernels = static_cast<int>(12 * std::max(1.0, tokens_ / rows));
    work.output_bytes = static_cast<std::uint64_t>(8 * tokens_);
    // Where labels are, and the logits.
    const double kept_logits = keeps ? tokens_ * columns : 0;
    work.kept_bytes = static_cast<std::uint64_t>(8 * tokens_) + bytes(kept_logits);
    work.forward_bytes =
        static_cast<std::uint64_t>(rows * columns * (has_kernel ? element_ : 2 * 4 + element_)) -
        bytes(kept_logits);
    const double matrix = lora_ || shape_.in_place ? 0 : columns * hidden_;
    work.backward_bytes = work.forward_bytes +
                          static_cast<std::uint64_t>(4 * tokens_ * hidden_ + 4 * matrix) +
                          bytes(rows * hidden_ + matrix);
    return work;
  }

  /// As attention.cpp keeps its results by themselves.
  bool can_keep_attention(std::int64_t window) const {
    return spec_.attention_cap == 0 && (shape_.in_place || shape_.compute == DType::bf16 || !narrow(window));
  }

  double flops_per_token() const {
    double weights = static_cast<double>(spec_.hidden) * static_cast<double>(spec_.vocabulary), pairs = 0;
    for (std::int64_t layer = 0; layer < spec_.layers; ++layer) {
      const BlockLayout layout = block_layout(spec_, layer);
      const std::vector<double> shares = shares_of(layout);
      for (std::size_t i = 0; i < shares.size(); ++i)
        if (layout.parameters[i].shape.size() == 2)
          weights += shares[i] * static_cast<double>(sharding::element_count(layout.parameters[i]));
      pairs += queries_ * static_cast<double>(shape_.sequence);
    }
    return 6 * weights + 12 * pairs;
  }

 private:
  /// As `model::rows_at_once`.
  double rows_at_once(std::int64_t columns) const {
    return std::min(tokens_,
                    static_cast<double>(std::max(least_rows_at_once, shape_.logits_at_once / columns)));
  }
  std::uint64_t bytes(double elements) const { return static_cast<std::uint64_t>(elements * element_); }
  /// Gradients come in the type in which the weights are stored.
  std::uint64_t weight_bytes(const std::vector<sharding::Parameter>& parameters) const {
    double elements = 0;
    for (const sharding::Parameter& parameter : parameters)
      elements += static_cast<double>(sharding::element_count(parameter));
    return bytes(elements);
  }
  /// Which part of the tokens each parameter of a block sees.
  std::vector<double> shares_of(const BlockLayout& layout) const {
    std::vector<double> shares(layout.parameters.size(), 1.0);
    for (const Expert& expert : layout.experts)
      for (const Affine& affine : {expert.gate, expert.up, expert.down})
        shares[static_cast<std::size_t>(affine.weight)] =
            static_cast<double>(spec_.experts_used) / static_cast<double>(spec_.experts);
    return shares;
  }
  std::vector<double> shares_of(const BlockLayout& layout, const LoraLayout& adapters) const {
    const std::vector<double> of_weights = shares_of(layout);
    std::vector<double> shares(adapters.parameters.size(), 1.0);
    for (std::size_t i = 0; i < of_weights.size(); ++i)
      for (const int parameter : {adapters.of_weight[i].a, adapters.of_weight[i].b})
        if (parameter >= 0) shares[static_cast<std::size_t>(parameter)] = of_weights[i];
    return shares;
  }
  void add_products(std::vector<Product>& products, const std::vector<sharding::Parameter>& parameters,
                    bool transposed, const std::vector<double>& shares) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const sharding::Parameter& parameter = parameters[i];
      if (parameter.shape.size() != 2) continue;
      const double tokens = tokens_ * (i < shares.size() ? shares[i] : 1.0);
      const auto rows = static_cast<double>(parameter.shape[0]);
      const auto columns = static_cast<double>(parameter.shape[1]);
      products.push_back({tokens, transposed ? columns : rows, transposed ? rows : columns});
    }
  }
  bool narrow(std::int64_t window) const { return window > 0 && window < shape_.sequence; }
  /// And one float for each row of scores that are not capped.
  std::uint64_t attention_results() const {
    const double sums = spec_.attention_cap > 0 ? 0 : 4 * static_cast<double>(spec_.heads);
    return bytes(tokens_ * queries_) + static_cast<std::uint64_t>(tokens_ * sums);
  }
  /// What RMS norms give is made again from what they are given; LibTorch's layer norms keep both, and two
  /// numbers a row. The block's input is nobody's here.
  std::uint64_t kept_by_norms() const {
    const bool layer_norms = spec_.norm == NormKind::layer,
               two = !spec_.parallel || !spec_.names.mlp_norm.empty();
    const double norms = two ? 2 : 1, between = spec_.parallel ? 0 : 1;
    const double after =
        (spec_.names.after_attention_norm.empty() ? 0 : 1) + (spec_.names.after_mlp_norm.empty() ? 0 : 1);
    std::uint64_t kept = bytes(tokens_ * hidden_ * (between + after + (layer_norms ? norms : 0)));
    kept += layer_norms ? bytes(2 * tokens_ * (norms + after))
                        : static_cast<std::uint64_t>(4 * tokens_ * (norms + after));
    if (!spec_.query_key_norm) return kept;
    return kept + bytes(tokens_ * (queries_ + keys_)) +
           static_cast<std::uint64_t>(4 * tokens_ * static_cast<double>(spec_.heads + spec_.key_value_heads));
  }
  /// SwiGLU's product is made again from gate and up. Of each position that an expert sees its input, its
  /// output, weighted and not, and where it lies are kept.
  std::uint64_t kept_by_mlp() const {
    const double inner = (!spec_.gated || spec_.nonlinearity == Nonlinearity::silu ? 2 : 4) * inner_;
    if (spec_.experts == 0) return bytes(tokens_ * inner);
    const double used = static_cast<double>(spec_.experts_used), routed = lora_ ? 0 : hidden_;
    return bytes(tokens_ * (routed + used * (inner + 3 * hidden_))) +
           static_cast<std::uint64_t>(tokens_ * (36 * used + 4 * static_cast<double>(spec_.experts)));
  }
  /// As attention.cpp computes by LibTorch's kernel on a host: with as many heads of keys as of queries, and
  /// halves in fp32.
  void attend_on_host(UnitWork& work) const {
    const double wide = shape_.compute == DType::f16 ? sizeof(float) : element_;
    const double copied =
        (wide > element_ ? queries_ : 0) + (keys_ < queries_ || wide > element_ ? 2 * queries_ : 0);
    const auto at_work = [&](double elements) {
      return static_cast<std::uint64_t>(wide * tokens_ * elements);
    };
    work.forward_bytes = std::max(work.forward_bytes, at_work(copied + queries_));
    work.backward_bytes = shape_.host_threads > 0 && spec_.experts == 0
                              ? at_work(copied + 5 * queries_)
                              : std::max(work.backward_bytes, at_work(copied + 5 * queries_));
  }
  bool multiplies_in_pairs() const {
    return shape_.host_threads > 0 && shape_.compute == DType::bf16 && kernels::multiplies_pairs();
  }
  /// In the order of backward what one part of a block needs comes once what another kept is gone, and the
  /// gradient of the input, which is counted with the inputs, is made last.
  void go_back_on_host(UnitWork& work) const {
    double mlp = element_ * tokens_ * inner_ * (spec_.gated ? 3 : 2);
    if (multiplies_in_pairs() && !lora_)
      mlp += static_cast<double>(packed_rows_bytes(static_cast<std::int64_t>(tokens_)) *
                                 static_cast<std::size_t>(shape_.host_threads));
    double attention = static_cast<double>(work.backward_bytes);
    if (shape_.attends_in_pairs)
      attention = element_ * tokens_ * 2 * (queries_ + keys_) + attention_scratch_bytes();
    work.backward_bytes = static_cast<std::uint64_t>(
        std::max({0.0, mlp - static_cast<double>(work.input_bytes),
                  attention - static_cast<double>(kept_by_mlp() + work.input_bytes)}));
  }
  double attention_scratch_bytes() const {
    kernels::AttentionShape form;
    form.length = shape_.sequence, form.heads = spec_.heads;
    form.key_value_heads = spec_.key_value_heads, form.head_size = spec_.head_size;
    const std::int64_t at_once =
        std::min<std::int64_t>(shape_.host_threads, shape_.rows * spec_.key_value_heads);
    return static_cast<double>(kernels::attention_backward_scratch(form)) * static_cast<double>(at_once);
  }
  /// How many keys all queries of the micro-batch see.
  double visible_pairs(std::int64_t window) const {
    const auto length = static_cast<double>(shape_.sequence), rows = static_cast<double>(shape_.rows);
    if (window <= 0 || window >= shape_.sequence) return rows * length * length / 2;
    const auto width = static_cast<double>(window);
    return rows * (length * width - width * width / 2);
  }
  bool repeated() const { return keys_ < queries_ && shape_.repeats_key_heads; }
  /// Elements that memory-bound operations of a block read or write for each token.
  double passes() const {
    const double norms = 2 * 2 * hidden_, residuals = 2 * 3 * hidden_;
    const double turns = spec_.rope.kind == RopeKind::none ? 0 : 4 * (queries_ + keys_);
    const double copies = repeated() ? 2 * (queries_ + keys_) : 0;
    return norms + residuals + turns + copies + (spec_.gated ? 5 : 2) * inner_;
  }

  const ModelSpec& spec_;
  const WorkShape& shape_;
  const std::optional<LoraSettings>& lora_;
  double tokens_, element_, hidden_, queries_, keys_, inner_;
};

}  // namespace

WorkShape shape_here(const ModelSpec& spec, std::int64_t rows, std::int64_t sequence, DType compute) {
  const bool capped = spec.attention_cap > 0;
  const bool pairs = compute == DType::bf16 && !capped && kernels::attends_in_pairs(spec.head_size);
  WorkShape shape{rows, sequence, compute, capped, true, pairs};
  shape.host_threads = at::get_num_threads();
  return shape;
}

WorkShape shape_on_gpu(const ModelSpec& spec, std::int64_t rows, std::int64_t sequence, DType compute) {
  const bool flash = compute != DType::f32 && spec.attention_cap == 0 && flash_takes_heads_of(spec.head_size);
  return {rows, sequence, compute, !flash, true, flash, logits_at_once_on_gpu};
}

sharding::ModelWork work_of(const ModelSpec& spec, const WorkShape& shape,
                            const std::optional<LoraSettings>& lora) {
  const Worker worker(spec, shape, lora);
  sharding::ModelWork work;
  work.tokens = shape.rows * shape.sequence;
  work.model_flops_per_token = worker.flops_per_token();
  const std::vector<VocabularyChunk> chunks = vocabulary_chunks(spec);
  const bool whole = chunks.size() == 1;
  if (whole) work.units.push_back(worker.embedding());
  if (!whole)
    for (const VocabularyChunk& chunk : chunks) work.units.push_back(worker.embedding_chunk(chunk));
  for (std::int64_t layer = 0; layer < spec.layers; ++layer) work.units.push_back(worker.block(layer));
  work.units.push_back(whole ? worker.head() : worker.head_norm());
  if (!whole)
    for (const VocabularyChunk& chunk : chunks) work.units.push_back(worker.head_chunk(chunk));
  return work;
}

}  // namespace trireme::model
