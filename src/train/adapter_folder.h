#pragma once
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "io/safetensors.h"
#include "model/lora.h"

namespace trireme::train {

/// An adapter in peft's format: adapter_config.json and adapter_model.safetensors. Opening checks that it is
/// of the job's rank and scale and has every tensor of the model's adapters, each of its shape.
class AdapterFolder {
 public:
  AdapterFolder(const std::filesystem::path& folder, const model::ModelSpec& spec,
                const model::LoraSettings& lora);
  void read(const sharding::Parameter& parameter, std::int64_t first, std::span<float> into) const;

 private:
  io::SafetensorsFile file_;
};

/// Gives all values of a parameter.
using ReadParameter = std::function<void(const sharding::Parameter& parameter, std::span<float> into)>;

/// Writes such a folder in fp32; what is there under these names is replaced once the new files are whole.
void write_adapter_folder(const std::filesystem::path& folder, const std::string& base_model,
                          const model::ModelSpec& spec, const model::LoraSettings& lora,
                          const ReadParameter& read);

}  // namespace trireme::train
