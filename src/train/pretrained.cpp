#include "train/pretrained.h"

#include <functional>
#include <numeric>
#include <set>

#include <fmt/ranges.h>

#include "core/error.h"
#include "io/convert.h"
#include "io/file.h"
#include "model/config.h"
#include "model/fresh_weights.h"
#include "model/layout.h"

namespace trireme::train {
namespace {

/// Old writers stored constants beside the weights.
bool is_stored_constant(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias");
}

std::string without_base(const std::string& name) {
  return name.substr(name.find('.') + 1);
}

}  // namespace

std::map<std::string, std::string> match_tensors(const std::vector<sharding::ParamGroup>& groups,
                                                 const model::ModelSpec& spec,
                                                 const std::vector<const io::StoredTensor*>& tensors,
                                                 const std::string& where) {
  std::map<std::string, const io::StoredTensor*> stored;
  for (const io::StoredTensor* tensor : tensors) stored.emplace(tensor->name, tensor);
  std::map<std::string, std::string> result;
  std::set<std::string> used;
  for (const sharding::ParamGroup& group : groups) {
    for (const sharding::Parameter& parameter : group.parameters) {
      auto found = stored.find(parameter.name);
      if (found == stored.end()) found = stored.find(without_base(parameter.name));
      if (found == stored.end())
        fail(ExitCode::configuration, "{}: the tensor {} is missing", where, parameter.name);
      if (found->second->shape != parameter.shape)
        fail(ExitCode::configuration, "{}: the tensor {} has the shape [{}]; config.json asks for [{}]",
             where, found->first, fmt::join(found->second->shape, ", "), fmt::join(parameter.shape, ", "));
      result.emplace(parameter.name, found->first);
      used.insert(found->first);
    }
  }
  for (const auto& [name, tensor] : stored) {
    const bool tied_copy = spec.tied && name == spec.names.head + ".weight";
    if (!used.contains(name) && !tied_copy && !is_stored_constant(name))
      fail(ExitCode::configuration, "{}: the tensor {} has no place in a {} of this config.json", where, name,
           spec.architecture);
  }
  return result;
}

Pretrained::Pretrained(const std::filesystem::path& folder, std::optional<std::uint64_t> fresh_seed,
                       int threads)
    : spec_(model::parse_config(io::read_text(folder / "config.json"), (folder / "config.json").string())),
      fresh_seed_(fresh_seed),
      threads_(threads) {
  const std::vector<sharding::ParamGroup> groups = model::parameter_groups(spec_);
  for (const sharding::ParamGroup& group : groups)
    for (const sharding::Parameter& parameter : group.parameters)
      parameters_.emplace(parameter.name, parameter);
  if (fresh_seed_) return;
  files_.emplace(folder);
  stored_names_ = match_tensors(groups, spec_, files_->tensors(), folder.string());
}

std::int64_t Pretrained::elements(const std::string& parameter) const {
  const auto found = parameters_.find(parameter);
  require(found != parameters_.end(), "the model has no parameter {}", parameter);
  return std::accumulate(found->second.shape.begin(), found->second.shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

void Pretrained::read(const std::string& parameter, std::uint64_t first, DType target,
                      std::span<std::byte> out) const {
  const auto found = parameters_.find(parameter);
  require(found != parameters_.end(), "the model has no parameter {}", parameter);
  if (files_) {
    const io::WeightSlice slice{stored_names_.at(parameter), first, target, out};
    return files_->read(std::span(&slice, 1), threads_);
  }
  if (!fresh_seed_) fail(ExitCode::internal, "{} has neither files nor a seed to come from", parameter);
  std::vector<float> values(out.size() / size_of(target));
  model::fresh_weights(spec_, found->second, *fresh_seed_, static_cast<std::int64_t>(first), values);
  io::convert_elements(DType::f32, std::as_bytes(std::span(values)), target, out);
}

}  // namespace trireme::train
