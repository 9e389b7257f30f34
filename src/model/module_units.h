#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sharding/engine.h"
#include "sharding/unit.h"

namespace torch::nn {
class Module;
}

namespace trireme::model {

/// What a unit computes: it calls the module that it was added with, and nothing else that is trained.
using ModuleForward =
    std::function<sharding::Activation(const sharding::Activation& input, const sharding::Context& context)>;

/// Units out of modules of any kind. Each module is a group of its own, named like it, with its frozen
/// parameters in a second one; a parameter is called "unit.name". From the first step on the modules'
/// parameters lie where the engine keeps them, so a module serves one engine; buffers stay as they are.
class ModuleUnits {
 public:
  void add(const std::string& name, const std::shared_ptr<torch::nn::Module>& module, ModuleForward forward);
  /// Called once, after the last `add`.
  sharding::Model model() { return std::move(model_); }
  /// The values that the modules were made with.
  sharding::ReadFloats starting_values() const;

 private:
  sharding::Model model_;
  std::vector<std::pair<std::string, at::Tensor>> values_;
};

}  // namespace trireme::model
