#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace trireme::slurm {

/// What Slurm tells of the nodes of a partition: the least of each.
struct NodeFacts {
  std::int64_t memory_megabytes = 0;  ///< 0: it does not say
  std::string gpu;                    ///< the type in Gres=gpu:TYPE:COUNT; empty: none, or several
};
/// Nothing where Slurm does not answer. An empty name stands for the default partition.
std::optional<NodeFacts> node_facts(const std::string& partition);
/// From the lines of `sinfo -h -o '%P|%m|%G'`.
std::optional<NodeFacts> node_facts_from(const std::string& output, const std::string& partition);

/// "64G", "512M" or plain megabytes, as sbatch --mem reads them; nothing for what it does not.
std::optional<double> bytes_of_memory(const std::string& words);

}  // namespace trireme::slurm
