#include "comm/codec/order.h"

namespace trireme::comm {

void ThreadOrder::begin(Communicator& communicator, const Call& call, int turn) {
  coder_.finish();
  Event& begun = begun_[static_cast<std::size_t>(turn)];
  if (one_by_one_) {
    communicator.run(call);
    begun = Event::already_set();
  } else {
    begun = communicator.post(call);
  }
}

}  // namespace trireme::comm
