#include "slurm/nodes.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/error.h"
#include "core/process.h"

namespace trireme::slurm {
namespace {

/// "gpu:h100:8(S:0-1)" to "h100"; empty where no type is given.
std::string gpu_type(const std::string& gres) {
  const std::size_t at = gres.find("gpu:");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + 4, end = gres.find_first_of(":,(", begin);
  const std::string word = gres.substr(begin, end == std::string::npos ? end : end - begin);
  const bool is_count =
      std::all_of(word.begin(), word.end(), [](char letter) { return letter >= '0' && letter <= '9'; });
  return is_count ? "" : word;
}

}  // namespace

std::optional<NodeFacts> node_facts_from(const std::string& output, const std::string& partition) {
  std::optional<NodeFacts> facts;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name, memory, gres;
    std::getline(fields, name, '|'), std::getline(fields, memory, '|'), std::getline(fields, gres);
    const bool is_default = !name.empty() && name.back() == '*';
    if (is_default) name.pop_back();
    if (partition.empty() ? !is_default : name != partition) continue;
    std::int64_t megabytes = 0;
    std::from_chars(memory.data(), memory.data() + memory.size(), megabytes);
    const std::string gpu = gpu_type(gres);
    if (!facts) {
      facts = NodeFacts{megabytes, gpu};
      continue;
    }
    facts->memory_megabytes = std::min(facts->memory_megabytes, megabytes);
    if (facts->gpu != gpu) facts->gpu.clear();
  }
  return facts;
}

std::optional<NodeFacts> node_facts(const std::string& partition) {
  try {
    const ProcessResult result = run_process({"sinfo", "-h", "-o", "%P|%m|%G"});
    return result.status == 0 ? node_facts_from(result.output, partition) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<double> bytes_of_memory(const std::string& words) {
  double number = 0;
  const char* end = words.data() + words.size();
  const auto [rest, problem] = std::from_chars(words.data(), end, number);
  if (problem != std::errc() || !(number > 0) || end - rest > 1) return std::nullopt;
  constexpr double kibi = 1024;
  switch (rest == end ? 'M' : *rest) {
    case 'K':
      return number * kibi;
    case 'M':
      return number * kibi * kibi;
    case 'G':
      return number * kibi * kibi * kibi;
    case 'T':
      return number * kibi * kibi * kibi * kibi;
    default:
      return std::nullopt;
  }
}

}  // namespace trireme::slurm
