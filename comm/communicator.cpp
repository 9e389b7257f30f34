#include "comm/communicator.h"

#include <utility>

#include "core/error.h"

namespace trireme::comm {

Communicator::Communicator(Group group, int world_rank, CommunicatorOptions options)
    : group_(std::move(group)),
      rank_(group_.index_of(world_rank)),
      options_(std::move(options)),
      lane_(options_.name) {
  require(rank_ >= 0, "communicator {}: rank {} is not in its group", options_.name, world_rank);
  if (options_.observer) options_.observer->opened(*this);
}

Communicator::~Communicator() {
  if (options_.observer) options_.observer->closed(*this);
}

void Communicator::observe_and_execute(const Call& call) {
  call.check(rank_, size());
  const std::uint64_t sequence = begin_call();
  CallObserver* observer = options_.observer.get();
  if (!observer) return execute(call);
  observer->began(*this, call, sequence);
  execute(call);
  observer->ended(*this, call, sequence);
}

Event Communicator::post(Call call, std::vector<Event> waits) {
  return lane_.post([this, call = std::move(call)] { observe_and_execute(call); }, std::move(waits));
}

void Communicator::run(const Call& call) {
  lane_.run([this, &call] { observe_and_execute(call); });
}

void Communicator::fail_timeout(const Call& call, std::string_view who,
                                std::optional<std::uint64_t> number) const {
  fail(ExitCode::hang, "rank {} of group '{}': {} (operation {}) did not finish within {} ms{}{}",
       group_.ranks[static_cast<std::size_t>(rank_)], options_.name, call.describe(),
       number.value_or(sequence() - 1), options_.time_limit.count(), who.empty() ? "" : ": ", who);
}

void Communicator::all_gather(const void* shard, void* whole, const Shards& shards, DType dtype) {
  run(Call::all_gather(shard, whole, shards, dtype));
}
void Communicator::reduce_scatter(const void* whole, void* shard, const Shards& shards, DType dtype,
                                  Reduction reduction) {
  run(Call::reduce_scatter(whole, shard, shards, dtype, reduction));
}
void Communicator::all_reduce(const void* in, void* out, std::size_t count, DType dtype,
                              Reduction reduction) {
  run(Call::all_reduce(in, out, count, dtype, reduction));
}
void Communicator::broadcast(void* data, std::size_t count, DType dtype, int root) {
  run(Call::broadcast(data, count, dtype, root));
}
void Communicator::all_to_all(const void* in, void* out, const Shards& sent, const Shards& received,
                              DType dtype) {
  run(Call::all_to_all(in, out, sent, received, dtype));
}
void Communicator::send(const void* data, std::size_t count, DType dtype, int to) {
  run(Call::send(data, count, dtype, to));
}
void Communicator::receive(void* data, std::size_t count, DType dtype, int from) {
  run(Call::receive(data, count, dtype, from));
}
void Communicator::barrier() {
  run(Call::barrier());
}

}  // namespace trireme::comm
