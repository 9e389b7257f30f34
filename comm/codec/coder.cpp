#include "comm/codec/coder.h"

#include <cstring>

#include "comm/codec/codec.h"
#include "comm/device_world.h"

namespace trireme::comm::codec {
namespace {

class HostCoder final : public Coder {
 public:
  void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count,
              void* out) const override {
    codec::encode(format, in, dtype, count, out);
  }
  void decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor, void* out,
                  DType dtype) const override {
    codec::decode_sum(format, parts, count, divisor, out, dtype);
  }
  void recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                  const BlockFormat& out_format, void* out) const override {
    codec::recode_sum(format, parts, count, out_format, out);
  }
  void copy(void* to, const void* from, std::size_t bytes) const override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void finish() const override {}
};

}  // namespace

const Coder& host_coder() {
  static const HostCoder coder;
  return coder;
}

const Coder& coder_of(Communicator& communicator) {
  const auto* device = dynamic_cast<const DeviceCommunicator*>(&communicator);
  return device ? device->coder() : host_coder();
}

}  // namespace trireme::comm::codec
