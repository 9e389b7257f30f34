#include "jobs/launch/descendants.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trireme::jobs {
namespace {

struct Entry {
  int process = 0, parent = 0;
  char state = 'X';
};

std::vector<Entry> all_processes() {
  std::vector<Entry> entries;
  std::error_code problem;
  for (const auto& folder : std::filesystem::directory_iterator("/proc", problem)) {
    const std::string name = folder.path().filename();
    Entry entry;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), entry.process);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    std::ifstream file(folder.path() / "stat");
    std::string text;
    std::getline(file, text, '\0');
    const auto after_name = text.rfind(')');
    if (after_name == std::string::npos) continue;
    if (std::istringstream(text.substr(after_name + 1)) >> entry.state >> entry.parent)
      entries.push_back(entry);
  }
  return entries;
}

}  // namespace

void adopt_orphans() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

std::vector<int> descendants(int ancestor) {
  std::unordered_multimap<int, Entry> children;
  for (const Entry& entry : all_processes()) children.emplace(entry.parent, entry);
  std::vector<int> found{ancestor}, living;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second.process);
      if (child->second.state != 'Z' && child->second.state != 'X') living.push_back(child->second.process);
    }
  }
  return living;
}

std::vector<int> ranks_started_by(int mpirun) {
  std::vector<int> ranks;
  for (const Entry& entry : all_processes()) {
    if (entry.parent != mpirun) continue;
    std::ifstream file(fmt::format("/proc/{}/environ", entry.process));
    for (std::string variable; std::getline(file, variable, '\0');)
      if (variable.starts_with("OMPI_COMM_WORLD_RANK=")) ranks.push_back(entry.process);
  }
  return ranks;
}

std::vector<int> adopted(int own) {
  std::ifstream file(fmt::format("/proc/self/task/{}/children", getpid()));
  std::vector<int> others;
  for (int process = 0; file >> process;)
    if (process != own) others.push_back(process);
  return others;
}

Ended collect_ended() {
  Ended ended;
  const pid_t process = waitpid(-1, &ended.wait_status, WNOHANG);
  if (process > 0) ended.process = process;
  return ended;
}

bool end_descendants(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    while (collect_ended().process) continue;
    const auto left = descendants(getpid());
    if (left.empty()) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    for (const int process : left) kill(process, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace trireme::jobs
