#include "cli/known_gpu.h"

#include <array>
#include <string_view>

namespace trireme::cli {
namespace {

/// What a driver's name for a GPU holds; of several rows that fit, the last counts. No name: no figures.
struct Row {
  std::string_view words, known;
  double least_gib = 0;
};
constexpr std::array rows{Row{" A100", "a100-40g"},
                          Row{" A100", "a100-80g", 60},
                          Row{" H100", "h100-80g"},
                          Row{" H100", "h100-96g-hbm2e", 88},
                          Row{" H100 NVL", ""},
                          Row{" H200", "h200"},
                          Row{" B200", "b200"},
                          Row{" L40S", "l40s"},
                          Row{" RTX 6000 Ada", "a6000-ada"},
                          Row{" RTX A5000", "a5000"},
                          Row{" RTX 3090", "rtx3090"},
                          Row{" RTX 4090", "rtx4090"},
                          Row{" RTX 5090", "rtx5090"}};

}  // namespace

std::string known_gpu(const DeviceInfo& info) {
  constexpr double gib = 1024.0 * 1024 * 1024;
  std::string found;
  for (const Row& row : rows)
    if (info.name.find(row.words) != std::string::npos &&
        static_cast<double>(info.memory_bytes) >= row.least_gib * gib)
      found = row.known;
  return found;
}

std::string table_row(const Device* device) {
  if (!device) return "cpu";
  const std::string known = known_gpu(device->info());
  return known.empty() ? "a100-80g" : known;
}

}  // namespace trireme::cli
