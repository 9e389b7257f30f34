#include "comm/bench/check.h"

#include "comm/bench/pattern.h"

namespace trireme::comm::bench {
namespace {

std::uint64_t run_on_device(Subject& subject, const Workload& workload, int rank, const Placed& placed,
                            Device& device) {
  const Buffer first = device.allocate_pinned(workload.bytes()),
               second = device.allocate_pinned(workload.bytes());
  const Placed shadow = place(workload, rank, first.data(), second.data());
  const std::size_t in_bytes = shadow.in_elements * size_of(workload.dtype);
  const std::size_t out_bytes = shadow.out_elements * size_of(workload.dtype);
  prepare_check(workload, rank, shadow);
  const auto stream = device.make_stream();
  stream->copy(placed.out, shadow.out, out_bytes);
  stream->copy(placed.in, shadow.in, in_bytes);
  stream->finish();
  subject.run();
  subject.finish();
  stream->copy(shadow.out, placed.out, out_bytes);
  stream->finish();
  return count_wrong(workload, rank, shadow);
}

}  // namespace

std::uint64_t run_and_count_wrong(Subject& subject, const Workload& workload, int rank, const Placed& placed,
                                  Device* device) {
  if (device) return run_on_device(subject, workload, rank, placed, *device);
  prepare_check(workload, rank, placed);
  subject.run();
  subject.finish();
  return count_wrong(workload, rank, placed);
}

}  // namespace trireme::comm::bench
