#include <algorithm>
#include <limits>
#include <optional>

#include "comm/topology_assemble.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr long impossible = std::numeric_limits<long>::max() / 4;

/// Near NUMA nodes first; among equals local rank i takes GPU i, as people expect.
long cost(const Node& node, const Place& place, int gpu) {
  if (std::find(place.visible_gpus.begin(), place.visible_gpus.end(), gpu) == place.visible_gpus.end())
    return impossible;
  const int where = node.gpus[static_cast<std::size_t>(gpu)].numa;
  long nearest = 255;
  for (const int numa : place.numa) nearest = std::min<long>(nearest, node.numa_distance(numa, where));
  const long off = gpu - place.local_rank;
  return nearest * (1 << 20) + off * off;
}

/// The cheapest choice of one column a row (rows ≤ columns), each column at most once: the Hungarian method
/// with potentials.
std::optional<std::vector<int>> cheapest_matching(const std::vector<std::vector<long>>& costs) {
  const std::size_t rows = costs.size(), columns = costs.front().size();
  std::vector<long> row_potential(rows + 1, 0), column_potential(columns + 1, 0);
  std::vector<std::size_t> row_of(columns + 1, 0), previous(columns + 1, 0);
  for (std::size_t row = 1; row <= rows; ++row) {
    row_of[0] = row;
    std::size_t column = 0;
    std::vector<long> shortest(columns + 1, std::numeric_limits<long>::max());
    std::vector<bool> used(columns + 1, false);
    do {
      used[column] = true;
      const std::size_t current = row_of[column];
      long step = std::numeric_limits<long>::max();
      std::size_t next = 0;
      for (std::size_t c = 1; c <= columns; ++c) {
        if (used[c]) continue;
        const long reduced = costs[current - 1][c - 1] - row_potential[current] - column_potential[c];
        if (reduced < shortest[c]) shortest[c] = reduced, previous[c] = column;
        if (shortest[c] < step) step = shortest[c], next = c;
      }
      if (step >= impossible / 2) return std::nullopt;
      for (std::size_t c = 0; c <= columns; ++c) {
        if (used[c]) {
          row_potential[row_of[c]] += step, column_potential[c] -= step;
        } else if (c > 0) {
          shortest[c] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = previous[column]) row_of[column] = row_of[previous[column]];
  }
  std::vector<int> chosen(rows, -1);
  for (std::size_t c = 1; c <= columns; ++c)
    if (row_of[c] != 0) chosen[row_of[c] - 1] = static_cast<int>(c) - 1;
  return chosen;
}

}  // namespace

void assign_gpus(Topology& topology, bool share) {
  for (Node& node : topology.nodes) {
    std::vector<std::vector<long>> costs;
    for (const int rank : node.ranks) {
      const Place& place = topology.place(rank);
      if (place.visible_gpus.empty())
        fail(ExitCode::configuration,
             "rank {} on {} sees no GPU: check the driver (trireme doctor) and CUDA_VISIBLE_DEVICES, or "
             "train on the CPU",
             rank, node.hostname);
      costs.emplace_back();
      for (int gpu = 0; gpu < static_cast<int>(node.gpus.size()); ++gpu)
        costs.back().push_back(cost(node, place, gpu));
    }
    std::optional<std::vector<int>> chosen;
    if (node.ranks.size() <= node.gpus.size()) chosen = cheapest_matching(costs);
    if (!chosen && !share)
      fail(ExitCode::configuration,
           "{} ranks on {} would have to share {} GPU{}, and two ranks on one GPU are refused: start at most "
           "one rank for each visible GPU",
           node.ranks.size(), node.hostname, node.gpus.size(), node.gpus.size() == 1 ? "" : "s");
    for (std::size_t local = 0; local < node.ranks.size(); ++local) {
      Place& place = topology.ranks[static_cast<std::size_t>(node.ranks[local])];
      place.gpu = chosen ? (*chosen)[local] : place.visible_gpus[local % place.visible_gpus.size()];
    }
  }
}

}  // namespace trireme::comm
