#pragma once
#include <string>

#include <hwy/highway.h>
#include <hwy/targets.h>

namespace trireme::offload::tests {

/// Runs `check(name)` once for each instruction set that this machine has, with that one chosen.
template <typename Check>
void on_every_target(const Check& check) {
  const std::int64_t supported = hwy::SupportedTargets();
  for (std::int64_t bit = 1; bit > 0 && bit <= supported; bit <<= 1) {
    if ((supported & bit) == 0) continue;
    hwy::SetSupportedTargetsForTest(bit);
    check(std::string(hwy::TargetName(bit)));
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace trireme::offload::tests
