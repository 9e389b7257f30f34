#include "comm/bootstrap_launch.h"

#include <optional>

#include <fmt/format.h>

#include "comm/topology_parse.h"

namespace trireme::comm {
namespace {

std::optional<long long> number(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::nullopt : parse_number(found->second);
}

/// Slurm numbers the batch script's and the interactive shell's own steps from the top of 32 bits: no srun
/// stands behind these.
bool inside_srun(const Environment& environment) {
  constexpr long long first_special = 0xfffffff0LL;
  const auto step = number(environment, "SLURM_STEP_ID");
  return step && *step >= 0 && *step < first_special && number(environment, "SLURM_PROCID");
}

}  // namespace

std::string hopeless_launch(const Environment& environment, std::string_view library) {
  if (library.find("Open MPI") == std::string_view::npos || !inside_srun(environment)) return {};
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"})
    if (environment.contains(name)) return {};
  const long long tasks = number(environment, "SLURM_STEP_NUM_TASKS").value_or(1);
  return fmt::format(
      "srun started {} task{} without PMIx, and Open MPI cannot start so: use `srun --mpi=pmix` (`srun "
      "--mpi=list` shows what this Slurm "
      "offers) or mpirun",
      tasks, tasks == 1 ? "" : "s");
}

std::string launch_problem(const Environment& environment, int rank, int size) {
  // The innermost launcher counts: mpirun inside a Slurm step inherits the step's variables.
  if (const auto started = number(environment, "OMPI_COMM_WORLD_SIZE")) {
    if (*started == size) return {};
    return fmt::format(
        "mpirun started {} processes (OMPI_COMM_WORLD_SIZE) but MPI sees {}: the program uses another MPI "
        "library than this mpirun; start it "
        "with the mpirun of the library that `trireme doctor` names",
        *started, size);
  }
  if (const auto started = number(environment, "PMI_SIZE"); started && *started != size)
    return fmt::format(
        "the launcher started {} processes (PMI_SIZE) but MPI sees {}: this MPI library does not speak the "
        "launcher's PMI; use "
        "`srun --mpi=pmix` or the mpirun of the library that `trireme doctor` names",
        *started, size);
  if (inside_srun(environment)) {
    const bool step_known = number(environment, "SLURM_STEP_NUM_TASKS").has_value();
    const char* name = step_known ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
    if (const auto started = number(environment, name); started && *started > size)
      return fmt::format(
          "srun started {} tasks ({}) but MPI sees {}: each task came up alone; use `srun --mpi=pmix` (`srun "
          "--mpi=list` shows what this "
          "Slurm offers) or mpirun",
          *started, name, size);
  }
  if (const auto own = number(environment, "PMIX_RANK"); own && (*own >= size || (size > 1 && *own != rank)))
    return fmt::format(
        "PMIx calls this process rank {} but MPI says rank {} of {}: the program's MPI does not use the "
        "launcher's PMIx; use the mpirun of the "
        "library that `trireme doctor` names",
        *own, rank, size);
  if (const auto started = number(environment, "WORLD_SIZE");
      environment.contains("TORCHELASTIC_RUN_ID") && started && *started > size)
    return fmt::format(
        "torchrun started {} processes (WORLD_SIZE) but MPI sees {}: trireme is started by `trireme launch`, "
        "mpirun or srun, not by torchrun",
        *started, size);
  return {};
}

}  // namespace trireme::comm
