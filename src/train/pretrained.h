#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "io/weight_files.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::train {

/// For each parameter the stored tensor that holds it. Fails with one sentence when a tensor is missing, of
/// another shape, or left over. Stored names may lack the family's base prefix ("h.0.…" for
/// "transformer.h.0.…").
std::map<std::string, std::string> match_tensors(const std::vector<sharding::ParamGroup>& groups,
                                                 const model::ModelSpec& spec,
                                                 const std::vector<const io::StoredTensor*>& tensors,
                                                 const std::string& where);

/// A Hugging Face folder: config.json and safetensors, checked against each other when opened.
class Pretrained {
 public:
  /// With a seed the folder needs no weights: they are drawn from it (`model/fresh_weights.h`). Large reads
  /// are shared by `threads`.
  explicit Pretrained(const std::filesystem::path& folder, std::optional<std::uint64_t> fresh_seed = {},
                      int threads = 1);
  const model::ModelSpec& spec() const { return spec_; }
  std::int64_t elements(const std::string& parameter) const;
  /// Elements [first, first + out.size() / size_of(target)) of the flattened parameter, converted to
  /// `target`.
  void read(const std::string& parameter, std::uint64_t first, DType target, std::span<std::byte> out) const;

 private:
  model::ModelSpec spec_;
  std::map<std::string, sharding::Parameter> parameters_;
  std::optional<std::uint64_t> fresh_seed_;
  std::optional<io::WeightFiles> files_;
  int threads_;
  std::map<std::string, std::string> stored_names_;
};

}  // namespace trireme::train
