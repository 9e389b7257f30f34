#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace trireme::cli {

/// Says every few seconds how far loading has come, so that a large model's minutes are not silent.
class LoadProgress {
 public:
  explicit LoadProgress(bool tells) : tells_(tells) {}
  void add(std::uint64_t elements, const std::string& tensor);

 private:
  using Clock = std::chrono::steady_clock;
  bool tells_;
  std::uint64_t elements_ = 0, at_last_line_ = 0;
  Clock::time_point last_line_ = Clock::now();
};

}  // namespace trireme::cli
