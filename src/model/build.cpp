#include "model/build.h"

#include <fmt/format.h>

#include "model/layout.h"
#include "model/nf4.h"
#include "model/units.h"
#include "model/vocabulary_units.h"

namespace trireme::model {
namespace {

/// Leaves the linear weights in the group, as bytes of 4-bit codes; the rest is a group of its own.
sharding::ParamGroup split_off_vectors(sharding::ParamGroup& block, const std::vector<char>& linear) {
  sharding::ParamGroup vectors;
  vectors.name = block.name + ".vectors";
  vectors.trainable = false;
  std::vector<sharding::Parameter> weights;
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (linear[i]) {
      weights.push_back(nf4_parameter(block.parameters[i]));
    } else {
      vectors.parameters.push_back(block.parameters[i]);
    }
  }
  block.parameters = std::move(weights);
  block.stored = DType::u8;
  return vectors;
}

/// Adds units for the rows of the embedding, or of the head, and gives the groups that they are in.
class ChunkedVocabulary {
 public:
  ChunkedVocabulary(sharding::Model& model, std::shared_ptr<const Shared> shared, bool trainable)
      : model_(model),
        shared_(std::move(shared)),
        chunks_(vocabulary_chunks(shared_->spec)),
        trainable_(trainable) {}

  /// In place of the group `whole`, which then holds what is not a row of the table.
  void embed(int whole) {
    sharding::ParamGroup& first = model_.groups[static_cast<std::size_t>(whole)];
    const std::vector<sharding::Parameter> others(first.parameters.begin() + 1, first.parameters.end());
    const sharding::Parameter table = first.parameters.front();
    first.name = "embedding.0", first.parameters = {part_of(table, chunks_.front())};
    tables_ = {whole};
    for (std::size_t i = 1; i < chunks_.size(); ++i) tables_.push_back(add("embedding", i, table));
    auto& last = model_.groups[static_cast<std::size_t>(tables_.back())].parameters;
    last.insert(last.end(), others.begin(), others.end());
    for (std::size_t i = 0; i < chunks_.size(); ++i)
      model_.units.push_back(std::make_unique<EmbeddingChunkUnit>(fmt::format("embedding.{}", i), chunks_[i],
                                                                  std::vector{tables_[i]}, shared_));
  }

  void score(int head) {
    std::vector<int> matrices = tables_;
    if (!shared_->spec.tied) {
      auto& own = model_.groups[static_cast<std::size_t>(head)].parameters;
      const sharding::Parameter matrix = own.back();
      own.pop_back();
      for (std::size_t i = 0; i < chunks_.size(); ++i) matrices[i] = add("head", i, matrix);
    }
    model_.units.push_back(std::make_unique<HeadNormUnit>(std::vector{head}, shared_));
    for (std::size_t i = 0; i < chunks_.size(); ++i)
      model_.units.push_back(std::make_unique<HeadChunkUnit>(fmt::format("head.{}", i), chunks_[i],
                                                             std::vector{matrices[i]}, shared_));
  }

 private:
  int add(const char* name, std::size_t chunk, const sharding::Parameter& table) {
    sharding::ParamGroup& group = model_.groups.emplace_back();
    group.name = fmt::format("{}.{}", name, chunk);
    group.parameters = {part_of(table, chunks_[chunk])};
    group.trainable = trainable_;
    return static_cast<int>(model_.groups.size()) - 1;
  }

  sharding::Model& model_;
  std::shared_ptr<const Shared> shared_;
  std::vector<VocabularyChunk> chunks_;
  bool trainable_;
  std::vector<int> tables_;
};

}  // namespace

sharding::Model build_model(const ModelSpec& spec, at::ScalarType compute,
                            const std::optional<LoraSettings>& lora, bool fused) {
  auto shared = std::make_shared<Shared>();
  shared->spec = spec;
  shared->compute = compute;
  shared->lora = lora;
  shared->fused = fused;
  if (lora) check_targets(spec, *lora);
  if (spec.rope.kind != RopeKind::none) {
    shared->rope = std::make_shared<RopeTable>(spec.rope, spec.head_size);
    shared->window_rope =
        spec.window_rope ? std::make_shared<RopeTable>(*spec.window_rope, spec.head_size) : shared->rope;
  }

  sharding::Model model;
  model.groups = parameter_groups(spec);
  const int head = static_cast<int>(model.groups.size()) - 1;
  if (lora)
    for (sharding::ParamGroup& group : model.groups) group.trainable = false;
  const bool chunked = vocabulary_chunks(spec).size() > 1;
  ChunkedVocabulary vocabulary(model, shared, !lora);
  if (chunked) {
    vocabulary.embed(0);
  } else {
    model.units.push_back(std::make_unique<EmbeddingUnit>(std::vector{0}, shared));
  }
  for (std::int64_t layer = 0; layer < spec.layers; ++layer) {
    std::vector<int> groups{static_cast<int>(layer) + 1};
    if (lora) {
      groups.push_back(static_cast<int>(model.groups.size()));
      sharding::ParamGroup& adapters = model.groups.emplace_back();
      adapters.name = model.groups[static_cast<std::size_t>(layer) + 1].name + ".lora";
      adapters.parameters = lora_layout(spec, *lora, layer).parameters;
    }
    if (lora && lora->four_bit_base) {
      groups.push_back(static_cast<int>(model.groups.size()));
      model.groups.push_back(split_off_vectors(model.groups[static_cast<std::size_t>(layer) + 1],
                                               linear_weights(block_layout(spec, layer))));
    }
    model.units.push_back(std::make_unique<BlockUnit>(layer, std::move(groups), shared));
  }
  if (chunked) {
    vocabulary.score(head);
  } else {
    model.units.push_back(
        std::make_unique<HeadUnit>(spec.tied ? std::vector{head, 0} : std::vector{head}, shared));
  }
  return model;
}

}  // namespace trireme::model
