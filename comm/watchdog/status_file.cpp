#include "comm/watchdog/status_file.h"

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/descriptor.h"

namespace trireme::comm {
namespace {

namespace json = boost::json;

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     milliseconds);
}

std::string text_of(const FailureStatus& status) {
  const Verdict& verdict = status.verdict;
  json::object object;
  object["state"] = "failed";
  object["reason"] = json::string_view(name_of(verdict.reason).data(), name_of(verdict.reason).size());
  object["exit_code"] = static_cast<int>(verdict.code);
  object["rank"] = verdict.rank;
  object["node"] = verdict.node;
  object["operation"] = verdict.operation;
  object["communicator"] = verdict.communicator;
  object["sequence"] = verdict.sequence;
  object["missing"] = json::value_from(verdict.missing);
  object["message"] = verdict.message;
  object["time"] = utc_now();
  object["launch"] = status.launch;
  return json::serialize(object) + "\n";
}

void write_all(int file, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0) fail(ExitCode::configuration, "{} cannot be written: {}", name, std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::optional<Reason> reason_from(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(Reason::launcher_lost); ++value)
    if (name_of(static_cast<Reason>(value)) == name) return static_cast<Reason>(value);
  return std::nullopt;
}

json::object object_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return json::parse(text.str()).as_object();
}

std::string string_at(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

}  // namespace

void write_status(const std::filesystem::path& file, const FailureStatus& status) {
  const std::string temporary = fmt::format("{}.{}.tmp", file.string(), getpid());
  {
    const Descriptor out(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!out) fail(ExitCode::configuration, "{} cannot be written: {}", temporary, std::strerror(errno));
    write_all(out.get(), text_of(status), temporary);
    fsync(out.get());
  }
  if (std::rename(temporary.c_str(), file.c_str()) != 0)
    fail(ExitCode::configuration, "{} cannot be put in place: {}", file.string(), std::strerror(errno));
}

std::optional<FailureStatus> read_failure(const std::filesystem::path& file, const std::string& launch) {
  try {
    const json::object object = object_in(file);
    if (string_at(object, "state") != "failed" || string_at(object, "launch") != launch) return std::nullopt;
    const auto reason = reason_from(string_at(object, "reason"));
    if (!reason) return std::nullopt;
    FailureStatus status;
    status.launch = launch;
    Verdict& verdict = status.verdict;
    verdict.reason = *reason;
    verdict.code = static_cast<ExitCode>(object.at("exit_code").to_number<int>());
    verdict.rank = object.at("rank").to_number<int>();
    verdict.node = string_at(object, "node");
    verdict.operation = string_at(object, "operation");
    verdict.communicator = string_at(object, "communicator");
    verdict.sequence = object.at("sequence").to_number<std::uint64_t>();
    verdict.missing = json::value_to<std::vector<int>>(object.at("missing"));
    verdict.message = string_at(object, "message");
    return status;
  } catch (const std::exception&) {
    return std::nullopt;  // not ours, or of another kind
  }
}

bool tells_the_end_of(const std::filesystem::path& file, const std::string& launch) {
  try {
    const json::object object = object_in(file);
    return string_at(object, "state") != "running" && string_at(object, "launch") == launch;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace trireme::comm
