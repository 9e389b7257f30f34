#pragma once
#include "jobs/launch/command.h"

namespace trireme::jobs {

/// Starts the ranks, passes signals on to them, ends what is left of them, and says how the run ended: the
/// exit code that counts.
int launch(LaunchOptions options);

}  // namespace trireme::jobs
