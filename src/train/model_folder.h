#pragma once
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "comm/communicator.h"
#include "core/dtype.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::train {

struct ModelFolderOptions {
  /// What the tensors are stored as; the configuration says the same.
  DType dtype = DType::bf16;
  /// A file is not made longer, unless one tensor alone is.
  std::uint64_t file_bytes = std::uint64_t{5} << 30;
  /// Without configuration and tokenizer.
  bool weights_alone = false;
  /// README.md, where it is not empty.
  std::string card;
};

/// Gives elements of a parameter, as many as `into` holds, from `first` on.
using ReadElements =
    std::function<void(const sharding::Parameter& parameter, std::int64_t first, std::span<float> into)>;

/// Writes a Hugging Face folder: safetensors (with an index where they are several), and the base model's
/// configuration and tokenizer files. Holds a piece of one tensor at a time. The folder must not be there.
/// With `ranks` all of them call it, and each writes some of the files.
void write_model_folder(const std::filesystem::path& folder, const std::filesystem::path& base,
                        const model::ModelSpec& spec, const ModelFolderOptions& options,
                        const ReadElements& read, comm::Communicator* ranks = nullptr);

}  // namespace trireme::train
