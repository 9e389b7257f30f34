#pragma once
#include <signal.h>

#include "jobs/launch/command.h"

namespace trireme::jobs {

/// Starts the command with its environment on top of ours and `mask` as its signal mask; the kernel sends it
/// SIGTERM when this process ends without a chance to. Throws when it cannot be run.
int start(const LaunchCommand& command, const sigset_t& mask);
/// What a command writes to its standard output; empty when it cannot be run.
std::string output_of(const std::vector<std::string>& arguments);
/// The file that a shell would run for this word; empty when there is none.
std::string find_program(const std::string& name);

}  // namespace trireme::jobs
