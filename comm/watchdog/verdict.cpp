#include "comm/watchdog/verdict.h"

#include "comm/watchdog/packing.h"

namespace trireme::comm {

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::rank_died:
      return "rank_died";
    case Reason::node_lost:
      return "node_lost";
    case Reason::stopped:
      return "stopped";
    case Reason::hang:
      return "hang";
    case Reason::mismatch:
      return "mismatch";
    case Reason::error:
      return "error";
    case Reason::launcher_lost:
      return "launcher_lost";
  }
  return "unknown";
}

std::string Verdict::pack() const {
  constexpr std::size_t longest_message = 512, longest_name = 128, most_missing = 64;
  const auto shortened = [](std::string_view text, std::size_t limit) { return text.substr(0, limit); };
  std::vector<int> first_missing = missing;
  if (first_missing.size() > most_missing) first_missing.resize(most_missing);
  Packer packer;
  packer.value(reason).value(code).value(rank).value(sequence).list(first_missing);
  packer.text(shortened(node, longest_name))
      .text(shortened(operation, longest_name))
      .text(shortened(communicator, longest_name));
  return packer.text(shortened(message, longest_message)).take();
}

Verdict Verdict::unpack(std::string_view bytes) {
  Unpacker unpacker(bytes);
  Verdict verdict;
  verdict.reason = unpacker.value<Reason>();
  verdict.code = unpacker.value<ExitCode>();
  verdict.rank = unpacker.value<int>();
  verdict.sequence = unpacker.value<std::uint64_t>();
  verdict.missing = unpacker.list<int>();
  verdict.node = unpacker.text();
  verdict.operation = unpacker.text();
  verdict.communicator = unpacker.text();
  verdict.message = unpacker.text();
  return verdict;
}

}  // namespace trireme::comm
