#pragma once
#include <string>

namespace trireme::slurm {

/// Whether the controller answers.
struct Ping {
  enum class Answer { not_installed, not_configured, up, down };
  Answer answer = Answer::not_installed;
  std::string words;  ///< Slurm's own, in one line
};

Ping ping();
/// From the status and output of `scontrol ping`: one line a controller, "Slurmctld(primary) at host is UP".
Ping ping_from(int status, const std::string& output, const std::string& errors);

}  // namespace trireme::slurm
