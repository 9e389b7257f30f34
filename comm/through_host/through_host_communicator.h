#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/device_world.h"
#include "comm/through_host/pieces.h"

namespace trireme::comm {

class ThroughHostCommunicator final : public DeviceCommunicator {
 public:
  ThroughHostCommunicator(std::unique_ptr<Communicator> carrier, Device& device, int world_rank,
                          std::size_t piece_bytes, CommunicatorOptions options);
  ~ThroughHostCommunicator() override { lane_.drain(); }

  std::string_view backend() const override { return carrier_->backend(); }
  Buffer allocate(std::size_t bytes) override { return device_.allocate(bytes); }
  void enqueue(const Call& call, std::span<const DeviceEvent* const> after, DeviceEvent& done) override;
  void check() override;
  void reserve(std::size_t bytes) override;
  const codec::Coder& coder() const override { return *coder_; }

 protected:
  void execute(const Call& call) override;

 private:
  /// The host's memory of a piece. Two take turns, so that one is filled and emptied while the other moves.
  struct Stage {
    Buffer in, out;
    std::unique_ptr<DeviceEvent> filled, emptied;
  };
  void fill(Stage& stage, const Piece& piece);
  void move(Stage& stage, const Piece& piece);
  void empty(Stage& stage, const Piece& piece);
  void check_in_flight();
  void grow_stages(std::size_t bytes);

  Device& device_;
  std::unique_ptr<Communicator> carrier_;
  std::size_t piece_bytes_;
  /// Into the host, out of it, and the order that callers see.
  std::unique_ptr<Stream> inward_, outward_, order_;
  /// Into the host: what was encoded is done before it is copied there.
  std::unique_ptr<codec::Coder> coder_;
  std::array<Stage, 2> stages_;
  std::size_t stage_bytes_ = 0;
  /// Counts calls that were carried out for `enqueue`; the order stream waits for it.
  HostFlag carried_;
  std::uint32_t queued_ = 0;
  std::mutex mutex_;
  std::vector<Event> in_flight_;
};

}  // namespace trireme::comm
