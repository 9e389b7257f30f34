#include "cli/doctor_health.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/memory_watch.h"
#include "comm/bootstrap.h"
#include "comm/doctor/clock.h"
#include "comm/doctor/finding.h"
#include "comm/doctor/node_links.h"
#include "comm/mpi/gather_texts.h"
#include "comm/topology_survey.h"
#include "core/bytes.h"
#include "core/descriptor.h"
#include "core/error.h"
#include "core/log.h"
#include "train/run_events.h"

namespace trireme::cli {
namespace {

namespace doctor = comm::doctor;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr double least_free_bytes = 16 << 20;
/// Files and credentials of nodes whose clocks differ more are not trusted by each other.
constexpr double tolerated_seconds = 5;

struct Health {
  std::string node;
  std::vector<doctor::Finding> findings;
  double link_gb_s = 0;

  bool is_sick() const {
    return std::any_of(findings.begin(), findings.end(), [](const doctor::Finding& finding) {
      return finding.verdict == doctor::Verdict::problem;
    });
  }
};

doctor::Finding check_disk(const std::string& check, const fs::path& folder, const std::string& node) {
  const auto bad = [&](const std::string& what) {
    return doctor::problem(check, fmt::format("{}: {}", folder.string(), what), "look at the node's disk");
  };
  std::error_code problem;
  fs::create_directories(folder, problem);
  const fs::path file = folder / (".health-" + node);
  Descriptor probe(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!probe) return bad(fmt::format("cannot be written to: {}", std::strerror(errno)));
  const std::vector<char> bytes(1 << 16, 'x');
  const bool written =
      ::write(probe.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      ::fsync(probe.get()) == 0;
  const std::string reason = std::strerror(errno);
  fs::remove(file, problem);
  if (!written) return bad(fmt::format("cannot be written to: {}", reason));
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0) return bad(std::strerror(errno));
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize);
  if (free < least_free_bytes) return bad(fmt::format("has {} left", human_bytes(free)));
  return doctor::ok(check, fmt::format("{} has {} left", folder.string(), human_bytes(free)));
}

doctor::Finding check_gpu_count(int wanted) {
  const auto seen = comm::survey(comm::current_environment()).gpus.size();
  const std::string found = fmt::format("{} of {} GPUs are to be seen", seen, wanted);
  if (static_cast<int>(seen) < wanted)
    return doctor::problem("gpus", found, "see nvidia-smi and dmesg on the node");
  return doctor::ok("gpus", found);
}

doctor::Finding judge_clock(double seconds, double uncertainty) {
  const std::string found = fmt::format("differs from the first node's by {:+.3f} s", seconds);
  if (std::abs(seconds) - uncertainty > tolerated_seconds)
    return doctor::problem("clock", found, "start chrony or ntpd there");
  return doctor::ok("clock", found);
}

/// The best link of each node that this job measured before.
std::map<std::string, double> best_links(const fs::path& file) {
  std::map<std::string, double> best;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    boost::system::error_code problem;
    const json::value value = json::parse(line, problem);
    const auto* object = problem ? nullptr : value.if_object();
    const auto* node = object ? object->if_contains("node") : nullptr;
    const auto* rate = object ? object->if_contains("link_gb_s") : nullptr;
    if (!node || !node->is_string() || !rate || !rate->is_number()) continue;
    double& known = best[std::string(node->get_string())];
    known = std::max(known, rate->to_number<double>());
  }
  return best;
}

std::string line_of(const Health& health) {
  json::object findings;
  for (const doctor::Finding& finding : health.findings)
    findings[finding.check] = fmt::format("{}: {}", doctor::name_of(finding.verdict), finding.found);
  return json::serialize(json::object{{"time", train::seconds_since_1970()},
                                      {"node", health.node},
                                      {"healthy", !health.is_sick()},
                                      {"link_gb_s", health.link_gb_s},
                                      {"findings", std::move(findings)}});
}

int tell(const std::vector<Health>& nodes, const fs::path& record) {
  std::ofstream out(record, std::ios::app);
  int sick = 0;
  for (const Health& health : nodes) {
    out << line_of(health) << '\n';
    for (const doctor::Finding& finding : health.findings) {
      if (finding.verdict == doctor::Verdict::problem)
        log::error("{} is not healthy: {}: {}; {}", health.node, finding.check, finding.found,
                   finding.advice);
      if (finding.verdict == doctor::Verdict::warning)
        log::warning("{}: {}: {}; {}", health.node, finding.check, finding.found, finding.advice);
    }
    if (health.is_sick()) fmt::print("{}\n", health.node), ++sick;
  }
  std::fflush(stdout);
  return sick;
}

}  // namespace

int check_health(const HealthWords& words) {
  const std::string name = node_name();
  std::vector<doctor::Finding> mine{check_disk("run folder", words.run_folder, name)};
  if (const char* scratch = std::getenv("TRIREME_SCRATCH"))
    mine.push_back(check_disk("scratch", scratch, name));
  if (words.gpus > 0) mine.push_back(check_gpu_count(words.gpus));

  const comm::MpiRuntime runtime(nullptr, nullptr);
  const comm::Topology topology = comm::bootstrap(runtime);
  const auto names = comm::gather_texts(runtime, name);
  const auto texts = comm::gather_texts(runtime, doctor::to_json(mine));
  const auto offsets = doctor::measure_clocks(runtime, topology);
  const std::vector<double> links = doctor::measure_node_links(runtime);
  int sick = 0;
  if (runtime.rank() == 0) {
    const fs::path record = fs::path(words.run_folder) / "log" / "health.jsonl";
    const auto before = best_links(record);
    std::vector<Health> nodes;
    for (std::size_t rank = 0; rank < names.size(); ++rank) {
      Health health{names[rank], doctor::findings_from_json(texts[rank]), links[rank]};
      // The first node's clock is the one that others are held against.
      if (rank > 0 && rank <= offsets.size())
        health.findings.push_back(judge_clock(offsets[rank - 1].seconds, offsets[rank - 1].uncertainty));
      const auto known = before.find(health.node);
      health.findings.push_back(doctor::judge_node_link(links[rank], doctor::usual_of_others(links, rank),
                                                        known == before.end() ? 0 : known->second,
                                                        static_cast<int>(names.size())));
      nodes.push_back(std::move(health));
    }
    sick = tell(nodes, record);
  }
  const auto counts = comm::gather_texts(runtime, std::to_string(sick));
  return counts.front() == "0" ? 0 : static_cast<int>(ExitCode::requeue);
}

}  // namespace trireme::cli
