#include "cli/doctor_report.h"
#include "slurm/ping.h"

namespace trireme::cli {

comm::doctor::Finding check_slurm() {
  const slurm::Ping ping = slurm::ping();
  switch (ping.answer) {
    case slurm::Ping::Answer::not_installed:
      return comm::doctor::ok("Slurm", "not installed: `trireme submit` works where it is");
    case slurm::Ping::Answer::not_configured:
      return comm::doctor::ok(
          "Slurm", "installed but not configured (" + ping.words + "): this host belongs to no cluster");
    case slurm::Ping::Answer::up:
      return comm::doctor::ok("Slurm", ping.words);
    case slurm::Ping::Answer::down:
      break;
  }
  return comm::doctor::warning("Slurm", ping.words,
                               "jobs cannot be submitted from here: check slurmctld, munge and slurm.conf");
}

}  // namespace trireme::cli
