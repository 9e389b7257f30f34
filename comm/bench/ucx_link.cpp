#include "comm/bench/ucx_link.h"

#include "comm/ucx/ucx_links.h"

namespace trireme::comm::bench {
namespace {

/// UCX links and this rank's side of their transfers.
struct Ground {
  Ground(const MpiRuntime& runtime, std::size_t message_bytes)
      : links(UcxLinks::connect(runtime, options_for(message_bytes))),
        bytes(message_bytes),
        data(links->allocate(message_bytes)) {}

  static UcxOptions options_for(std::size_t message_bytes) {
    UcxOptions options;
    options.window_bytes = message_bytes;
    return options;
  }
  void tell_done(int peer) const { links->tag_send(peer, data.data(), exchanged_bytes, done_tag); }
  void await_done(int peer) const { links->tag_receive(peer, data.data(), exchanged_bytes, done_tag); }

  static constexpr std::uint32_t done_tag = 1;
  std::unique_ptr<UcxLinks> links;
  std::size_t bytes;
  Buffer data;
};

class TaggedLink final : public PairLink {
 public:
  explicit TaggedLink(std::shared_ptr<Ground> ground) : ground_(std::move(ground)) {}
  std::string name() const override { return "ucx"; }

  void exchange(int peer, bool leads, int times) override {
    for (int i = 0; i < times; ++i) {
      if (leads) ground_->links->tag_send(peer, ground_->data.data(), exchanged_bytes);
      ground_->links->tag_receive(peer, ground_->data.data(), exchanged_bytes);
      if (!leads) ground_->links->tag_send(peer, ground_->data.data(), exchanged_bytes);
    }
  }

  void stream(int peer, bool leads, int messages) override {
    for (int i = 0; i < messages; ++i) {
      if (leads) {
        ground_->links->tag_send(peer, ground_->data.data(), ground_->bytes);
      } else {
        ground_->links->tag_receive(peer, ground_->data.data(), ground_->bytes);
      }
    }
    if (leads) {
      ground_->await_done(peer);
    } else {
      ground_->tell_done(peer);
    }
  }

 private:
  std::shared_ptr<Ground> ground_;
};

enum class Side { puts, gets };

/// One side moves the data and then says so to the other, which meanwhile serves it. Data flow from the
/// leader to the peer in both: the leader puts, or the peer gets.
class OneSidedLink final : public PairLink {
 public:
  OneSidedLink(std::shared_ptr<Ground> ground, Side side) : ground_(std::move(ground)), side_(side) {}
  std::string name() const override { return side_ == Side::puts ? "ucx_put" : "ucx_get"; }
  int transfers_per_exchange() const override { return 1; }

  void exchange(int peer, bool leads, int times) override {
    transfer(peer, leads, times, [&] {
      move(peer, exchanged_bytes);
      ground_->links->flush(peer);
    });
  }

  void stream(int peer, bool leads, int messages) override {
    constexpr int under_way = 16;
    int begun = 0;
    transfer(peer, leads, messages, [&] {
      move(peer, ground_->bytes);
      if (++begun % under_way == 0) ground_->links->flush(peer);
    });
  }

 private:
  template <typename Once>
  void transfer(int peer, bool leads, int times, Once once) {
    const bool moves = leads == (side_ == Side::puts);
    if (!moves) return ground_->await_done(peer);
    for (int i = 0; i < times; ++i) once();
    ground_->links->flush(peer);
    ground_->tell_done(peer);
  }
  void move(int peer, std::size_t bytes) {
    if (side_ == Side::puts) {
      ground_->links->put(peer, ground_->data.data(), bytes, 0);
    } else {
      ground_->links->get(peer, ground_->data.data(), bytes, 0);
    }
  }

  std::shared_ptr<Ground> ground_;
  Side side_;
};

}  // namespace

std::vector<std::unique_ptr<PairLink>> make_ucx_links(const MpiRuntime& runtime, std::size_t message_bytes) {
  auto ground = std::make_shared<Ground>(runtime, message_bytes);
  std::vector<std::unique_ptr<PairLink>> links;
  links.push_back(std::make_unique<TaggedLink>(ground));
  links.push_back(std::make_unique<OneSidedLink>(ground, Side::puts));
  links.push_back(std::make_unique<OneSidedLink>(ground, Side::gets));
  return links;
}

}  // namespace trireme::comm::bench
