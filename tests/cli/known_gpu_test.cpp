#include "cli/known_gpu.h"

#include <gtest/gtest.h>

#include "sharding/predict/machine.h"

namespace trireme::cli {
namespace {

std::string known(const char* name, double gib) {
  return known_gpu({name, "", static_cast<std::size_t>(gib * 1024 * 1024 * 1024), 9, 0});
}

TEST(KnownGpu, IsFoundByTheDriversNameAndItsMemory) {
  const std::tuple<const char*, double, const char*> gpus[] = {
      {"NVIDIA A100-SXM4-40GB", 39.5, "a100-40g"},
      {"NVIDIA A100 80GB PCIe", 79.2, "a100-80g"},
      {"NVIDIA H100 80GB HBM3", 79.1, "h100-80g"},
      {"NVIDIA GH200 96GB HBM3", 94.5, ""},
      {"NVIDIA H100 NVL", 93.6, ""},
      {"NVIDIA H200", 139.8, "h200"},
      {"NVIDIA B200", 178.4, "b200"},
      {"NVIDIA GeForce RTX 4090", 23.6, "rtx4090"},
      {"NVIDIA RTX 6000 Ada Generation", 47.5, "a6000-ada"},
      {"Host memory", 16, ""}};
  for (const auto& [name, gib, wanted] : gpus) {
    EXPECT_EQ(known(name, gib), wanted) << name;
    if (*wanted) {
      EXPECT_EQ(sharding::known_machine(wanted).device, wanted);
    }
  }
}

}  // namespace
}  // namespace trireme::cli
