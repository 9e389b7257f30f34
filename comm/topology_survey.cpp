#include "comm/topology_survey.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "comm/topology_hwloc.h"
#include "comm/topology_interfaces.h"
#include "comm/topology_parse.h"

namespace trireme::comm {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem))
    found.push_back(entry->path());
  std::sort(found.begin(), found.end());
  return found;
}

int numa_of_device(const fs::path& device) {
  return static_cast<int>(parse_number(read_text(device / "numa_node")).value_or(-1));
}

/// A device cgroup lets the file be seen and refuses to open it; CUDA does not count such a GPU.
bool can_open(const fs::path& device) {
  const int descriptor = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor >= 0) ::close(descriptor);
  return descriptor >= 0;
}

void add_distances(std::vector<NumaNode>& nodes, const fs::path& root) {
  for (NumaNode& node : nodes) {
    node.distances = parse_distances(
        read_text(root / "sys/devices/system/node" / ("node" + std::to_string(node.id)) / "distance"));
    if (node.distances.size() == nodes.size()) continue;
    node.distances.clear();
    for (const NumaNode& other : nodes) node.distances.push_back(other.id == node.id ? 10 : 20);
  }
}

}  // namespace

Environment current_environment() {
  Environment environment;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::vector<Gpu> survey_gpus(const fs::path& root) {
  std::vector<Gpu> gpus;
  for (const fs::path& folder : entries(root / "proc/driver/nvidia/gpus")) {
    const std::string information = read_text(folder / "information");
    const auto minor = parse_number(value_of_line(information, "Device Minor"));
    if (!minor || !can_open(root / "dev" / ("nvidia" + std::to_string(*minor)))) continue;
    const std::string id = folder.filename().string();
    gpus.push_back({id, value_of_line(information, "Model"), value_of_line(information, "GPU UUID"),
                    numa_of_device(root / "sys/bus/pci/devices" / id)});
  }
  return gpus;
}

std::vector<NetworkInterface> survey_infiniband(const fs::path& root) {
  std::vector<NetworkInterface> found;
  for (const fs::path& device : entries(root / "sys/class/infiniband"))
    for (const fs::path& port : entries(device / "ports")) {
      if (read_text(port / "state").find("ACTIVE") == std::string::npos) continue;
      std::string guid = read_text(device / "node_guid");
      guid.erase(std::remove(guid.begin(), guid.end(), '\n'), guid.end());
      found.push_back({device.filename().string() + ":" + port.filename().string(), guid,
                       parse_infiniband_rate(read_text(port / "rate")), true,
                       numa_of_device(device / "device")});
    }
  return found;
}

RankReport survey(const Environment& environment, const fs::path& root) {
  RankReport report;
  std::string hostname(256, '\0');
  if (::gethostname(hostname.data(), hostname.size() - 1) == 0) report.hostname = hostname.c_str();
  report.boot_id = read_text(root / "proc/sys/kernel/random/boot_id").substr(0, 36);
  const BoundCores bound = find_bound_cores();
  report.cores = bound.cores;
  report.numa = bound.numa;
  report.numa_nodes = bound.numa_nodes;
  add_distances(report.numa_nodes, root);
  const auto visible = environment.find("CUDA_VISIBLE_DEVICES");
  report.gpus = visible_gpus(survey_gpus(root),
                             visible == environment.end() ? std::nullopt : std::optional(visible->second));
  report.interfaces = find_ip_interfaces(root);
  for (NetworkInterface& interface : survey_infiniband(root))
    report.interfaces.push_back(std::move(interface));
  return report;
}

}  // namespace trireme::comm
