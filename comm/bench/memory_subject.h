#pragma once
#include "comm/bench/limit.h"
#include "comm/bench/subject.h"

namespace trireme::comm::bench {

/// The limit inside a node as a subject of its own: every rank moves, at the same time as the others and in
/// its own memory, the bytes that the collective cannot avoid; where it `reads_back`, it then reads what it
/// has written, as whoever wants the result does.
class MemorySubject final : public Subject {
 public:
  MemorySubject(GroupShape shape, int rank, Stores stores, bool reads_back)
      : shape_(shape), rank_(rank), stores_(stores), reads_back_(reads_back) {}

  std::string name() const override {
    return std::string(stores_ == Stores::cached ? "memory" : "memory_streaming") +
           (reads_back_ ? "_read_back" : "");
  }
  Buffer allocate(std::size_t bytes) override { return ordinary_memory(bytes); }
  void prepare(const Workload& workload, const Placed& placed) override {
    mix_ = memory_mix(workload, shape_, rank_);
    in_ = mix_.in_place ? placed.out : placed.in;
    out_ = placed.out;
  }
  void run() override {
    if (mix_.idle()) return;
    stream_blocks(in_, mix_.reads, out_, mix_.writes, mix_.block_bytes, stores_);
    if (reads_back_) read_block(out_, static_cast<std::size_t>(mix_.writes) * mix_.block_bytes);
  }

 private:
  GroupShape shape_;
  int rank_;
  Stores stores_;
  bool reads_back_;
  MemoryMix mix_;
  const void* in_ = nullptr;
  void* out_ = nullptr;
};

}  // namespace trireme::comm::bench
