#include "cli/load_progress.h"

#include "core/log.h"

namespace trireme::cli {

void LoadProgress::add(std::uint64_t elements, const std::string& tensor) {
  if (!tells_) return;
  const std::chrono::duration<double> since = Clock::now() - last_line_;
  if (constexpr double seconds_a_line = 5; since.count() >= seconds_a_line) {
    log::info("loading: {:.0f} million values of this rank so far, {:.0f} million a second; now {}",
              static_cast<double>(elements_) / 1e6,
              static_cast<double>(elements_ - at_last_line_) / since.count() / 1e6, tensor);
    last_line_ = Clock::now(), at_last_line_ = elements_;
  }
  elements_ += elements;
}

}  // namespace trireme::cli
