#include "io/checkpoint/checkpoint.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/checkpoint_commands.h"
#include "cli/commands.h"
#include "core/bytes.h"
#include "core/error.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/latest.h"
#include "io/checkpoint/retention.h"
#include "io/run_lock.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Words {
  std::string run, name;
  bool json = false;
  io::Retention keep;
};

CheckpointPlace place_of(const Words& words) {
  return find_checkpoints(words.run, words.name);
}

std::uint64_t bytes_of(const io::Manifest& manifest) {
  std::uint64_t bytes = manifest.master.bytes;
  for (const io::ShardRecord& shard : manifest.shards) bytes += shard.file.bytes;
  return bytes;
}

const json::value* find(const json::object& object, const char* key) {
  return object.if_contains(key);
}

json::object facts_of(const io::Checkpoint& checkpoint) {
  const json::object& state = checkpoint.state();
  json::object facts{{"name", checkpoint.folder().filename().string()},
                     {"files", checkpoint.manifest().shards.size()},
                     {"tensors", checkpoint.tensors().size()},
                     {"bytes", bytes_of(checkpoint.manifest())}};
  for (const char* key : {"step", "updates", "epoch", "samples", "rows_per_step", "loss"})
    if (const json::value* value = find(state, key)) facts[key] = *value;
  return facts;
}

std::string word(const json::object& facts, const char* key) {
  const json::value* value = find(facts, key);
  if (!value) return "-";
  return value->is_double() ? fmt::format("{:.6g}", value->as_double()) : json::serialize(*value);
}

int list(const Words& words) {
  const CheckpointPlace place = place_of(words);
  if (!words.json)
    fmt::print("{:>10} {:>8} {:>12} {:>12} {:>6}  name\n", "step", "epoch", "loss", "size", "files");
  for (const std::string& name : place.names) {
    json::object facts{{"name", name}};
    try {
      facts = facts_of(io::Checkpoint(place.checkpoints / name));
    } catch (const Error& error) {
      facts["damage"] = error.what();
    }
    if (words.json) {
      fmt::print("{}\n", json::serialize(facts));
    } else if (const json::value* damage = find(facts, "damage")) {
      fmt::print("{:>10} {:>8} {:>12} {:>12} {:>6}  {}: {}\n", "-", "-", "-", "-", "-", name,
                 std::string_view(damage->as_string()));
    } else {
      fmt::print("{:>10} {:>8.8} {:>12.12} {:>12} {:>6}  {}\n", word(facts, "step"), word(facts, "epoch"),
                 word(facts, "loss"), human_bytes(facts.at("bytes").to_number<double>()),
                 word(facts, "files"), name);
    }
  }
  return 0;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  return json::serialize(json::value_from(shape));
}

int show(const Words& words) {
  const CheckpointPlace place = place_of(words);
  const io::Checkpoint checkpoint(place.checkpoints / place.names.back());
  if (words.json) {
    fmt::print("{}\n", json::serialize(facts_of(checkpoint)));
    for (const auto& [name, tensor] : checkpoint.tensors())
      fmt::print("{}\n", json::serialize(json::object{{"tensor", name},
                                                      {"dtype", std::string(name_of(tensor.dtype))},
                                                      {"shape", json::value_from(tensor.shape)}}));
    return 0;
  }
  for (const auto& fact : facts_of(checkpoint))
    fmt::print(
        "{:<14} {}\n", std::string_view(fact.key()),
        fact.value().is_string() ? std::string(fact.value().as_string()) : json::serialize(fact.value()));
  if (const json::value* about = find(checkpoint.state(), "about"))
    for (const char* key : {"ranks", "placement", "program"})
      if (const json::value* value = find(about->as_object(), key))
        fmt::print("{:<14} {}\n", key, json::serialize(*value));
  for (const auto& [name, tensor] : checkpoint.tensors())
    fmt::print("  {:<5} {:<20} {}\n", name_of(tensor.dtype), text_of(tensor.shape), name);
  return 0;
}

int verify(const Words& words) {
  const CheckpointPlace place = place_of(words);
  int damaged = 0;
  const auto tell = [&](const std::string& name, const std::string& verdict) {
    if (words.json) {
      fmt::print("{}\n", json::serialize(json::object{{"name", name}, {"verdict", verdict}}));
    } else {
      fmt::print("{}: {}\n", name, verdict);
    }
  };
  for (const std::string& name : place.names) {
    std::string verdict = "sound";
    try {
      io::Checkpoint(place.checkpoints / name).verify();
    } catch (const Error& error) {
      if (error.code() != ExitCode::damaged) throw;
      verdict = error.what();
      ++damaged;
    }
    tell(name, verdict);
  }
  if (place.all) {
    const io::Latest latest = io::read_latest(place.checkpoints);
    if (!latest.words.empty()) tell(io::latest_file, latest.words);
    if (latest.is_damaged()) ++damaged;
  }
  return static_cast<int>(damaged > 0 ? ExitCode::damaged : ExitCode::done);
}

int prune(const Words& words) {
  const CheckpointPlace place = place_of(words);
  const fs::path run = place.checkpoints.parent_path();
  // A job that runs here prunes by itself, and what looks left over may be its save in the making.
  const io::RunLock lock(run, "trireme checkpoint prune", 0);
  // A damaged one that is kept must not cost a sound one.
  const auto kept = std::min(place.names.size(), static_cast<std::size_t>(words.keep.last));
  for (auto name = place.names.end() - static_cast<std::ptrdiff_t>(kept); name != place.names.end(); ++name) {
    try {
      io::Checkpoint(place.checkpoints / *name).verify();
    } catch (const Error& error) {
      fail(error.code(), "{}; nothing was removed: move the folder of this one away first", error.what());
    }
  }
  const std::vector<std::string> gone = io::prune(place.checkpoints, words.keep);
  io::remove_leftovers(place.checkpoints);
  for (const std::string& name : gone) fmt::print("removed {}\n", name);
  fmt::print("{} removed, {} kept\n", gone.size(), io::checkpoint_names(place.checkpoints).size());
  return 0;
}

Command add(Command parent, const std::shared_ptr<Words>& words, const char* name, const char* what,
            int (*work)(const Words&)) {
  Command command = parent.subcommand(name, what);
  command.option("run", words->run, "A run folder, its folder of checkpoints, or one checkpoint").required();
  command.runs([words, work] { return work(*words); });
  return command;
}

}  // namespace

void add_checkpoint(Command app) {
  Command command =
      app.subcommand("checkpoint", "List, show, verify, compare, convert and prune checkpoints");
  command.needs_subcommand();
  auto words = std::make_shared<Words>();
  Command one = add(command, words, "list", "One line for each, oldest first", list);
  one.alias("ls");
  one.flag("--json", words->json, "One JSON object a line");
  one.footer("Example: trireme checkpoint list my-run");
  one = add(command, words, "show", "What the newest one holds", show);
  one.option("--name", words->name, "Another one, by name or step");
  one.flag("--json", words->json, "One JSON object a line");
  one.footer("Example: trireme checkpoint show my-run --name 1200");
  one = add(command, words, "verify", "Read every byte of every file and compare its digests", verify);
  one.option("--name", words->name, "One alone, by name or step");
  one.flag("--json", words->json, "One JSON object a line");
  one.footer("Example: trireme checkpoint verify my-run");
  one = add(command, words, "prune", "Remove old ones; refused while a job uses the run folder", prune);
  one.option("--keep-last", words->keep.last, "The newest so many stay").within(1, 1000000).shows_default();
  one.option("--keep-every", words->keep.every, "And those whose step is a multiple of this")
      .within(0, 1000000000);
  one.flag("--keep-best", words->keep.best, "And the one with the lowest loss");
  one.footer("Example: trireme checkpoint prune my-run --keep-last 3 --keep-every 1000");
  add_checkpoint_diff(command);
  add_checkpoint_convert(command);
}

}  // namespace trireme::cli
