#include "optim/failure_guard.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::optim {

bool FailureGuard::after_step(bool failed) {
  if (!failed) {
    state_.failed_in_a_row = 0;
    if (++state_.sound_in_a_row % settings_.window == 0)
      state_.rate_factor = std::min(1.0, state_.rate_factor / settings_.factor);
    return true;
  }
  ++state_.failed, ++state_.failed_in_a_row;
  state_.sound_in_a_row = 0;
  if (settings_.policy == OnFailure::back_off)
    state_.rate_factor = std::max(settings_.least_factor, state_.rate_factor * settings_.factor);
  return settings_.policy != OnFailure::stop && state_.failed_in_a_row < settings_.most_in_a_row;
}

OnFailure failure_policy_from_name(std::string_view name) {
  if (name == "stop") return OnFailure::stop;
  if (name == "skip") return OnFailure::skip;
  if (name == "back_off") return OnFailure::back_off;
  fail(ExitCode::configuration,
       "there is no policy '{}' for losses that are not finite; known are stop, skip, back_off", name);
}

}  // namespace trireme::optim
