#include "slurm/ping.h"

#include <algorithm>

#include "core/error.h"
#include "core/process.h"

namespace trireme::slurm {
namespace {

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Ping ping_from(int status, const std::string& output, const std::string& errors) {
  const bool up = status == 0 && output.find(" is UP") != std::string::npos;
  if (!up && errors.find("establish a configuration source") != std::string::npos)
    return {Ping::Answer::not_configured, "no slurm.conf and no configuration server"};
  const std::string words = one_line(output.empty() ? errors : output);
  return {up ? Ping::Answer::up : Ping::Answer::down, words.empty() ? "scontrol ping says nothing" : words};
}

Ping ping() {
  try {
    const ProcessResult result = run_process({"scontrol", "ping"});
    return ping_from(result.status, result.output, result.errors);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace trireme::slurm
