#include <boost/json.hpp>
#include <memory>

#include <fmt/format.h>

#include "cli/checkpoint_commands.h"
#include "core/bytes.h"
#include "io/checkpoint/difference.h"

namespace trireme::cli {
namespace {

namespace json = boost::json;

struct Words {
  std::string one, other;
  bool json = false;
};

const char* word_of(io::Difference::Kind kind) {
  switch (kind) {
    case io::Difference::Kind::only_in_first:
      return "only in the first";
    case io::Difference::Kind::only_in_second:
      return "only in the second";
    case io::Difference::Kind::type_or_shape:
      return "another type or shape";
    case io::Difference::Kind::values:
      return "other values";
  }
  return "";
}

/// Of what is said about the training, the parts that are not equal.
void show_state(const json::object& one, const json::object& other, bool as_json) {
  for (const char* key : {"step", "updates", "epoch", "samples", "rows_per_step", "loss", "loss_scale"}) {
    const json::value* a = one.if_contains(key);
    const json::value* b = other.if_contains(key);
    const json::value first = a ? *a : json::value(), second = b ? *b : json::value();
    if (first == second) continue;
    if (as_json) {
      fmt::print("{}\n", json::serialize(json::object{{"state", key}, {"first", first}, {"second", second}}));
    } else {
      fmt::print("{:<14} {} and {}\n", key, json::serialize(first), json::serialize(second));
    }
  }
}

void show(const io::Difference& difference, bool as_json) {
  const bool values = difference.kind == io::Difference::Kind::values;
  if (as_json) {
    json::object line{{"tensor", difference.tensor}, {"difference", word_of(difference.kind)}};
    if (values) {
      line["elements"] = difference.elements, line["first"] = difference.first;
      line["largest"] = difference.largest;
    }
    fmt::print("{}\n", json::serialize(line));
  } else if (values) {
    fmt::print("{}: {} elements differ, the first at {}, by {:.3g} at most\n", difference.tensor,
               difference.elements, difference.first, difference.largest);
  } else {
    fmt::print("{}: {}\n", difference.tensor, word_of(difference.kind));
  }
}

int diff(const Words& words) {
  const io::Checkpoint one(find_checkpoints(words.one, "").newest());
  const io::Checkpoint other(find_checkpoints(words.other, "").newest());
  show_state(one.state(), other.state(), words.json);
  const io::Comparison comparison = io::compare(one, other);
  for (const io::Difference& difference : comparison.differences) show(difference, words.json);
  if (words.json) {
    fmt::print("{}\n", json::serialize(json::object{{"equal", comparison.equal},
                                                    {"different", comparison.differences.size()},
                                                    {"bytes_read", comparison.bytes_read}}));
  } else {
    fmt::print("{} tensors equal, {} different; {} read\n", comparison.equal, comparison.differences.size(),
               human_bytes(static_cast<double>(comparison.bytes_read)));
  }
  return comparison.differences.empty() ? 0 : 1;
}

}  // namespace

void add_checkpoint_diff(Command checkpoint) {
  auto words = std::make_shared<Words>();
  Command command = checkpoint.subcommand(
      "diff", "Compare two checkpoints tensor by tensor; ends with 1 where tensors differ");
  command.option("first", words->one, "A run folder (its newest one), or one checkpoint").required();
  command.option("second", words->other, "The other one").required();
  command.flag("--json", words->json, "One JSON object a line");
  command.footer("Example: trireme checkpoint diff my-run other-run");
  command.runs([words] { return diff(*words); });
}

}  // namespace trireme::cli
