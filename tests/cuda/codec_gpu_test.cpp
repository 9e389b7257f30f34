#include "core/error.h"
#include "core/plugin.h"
#include "tests/cuda/codec_on_device.h"

namespace trireme::tests {
namespace {

TEST(CodecKernels, GiveTheReferencesBits) {
  DevicePlugin* plugin = nullptr;
  try {
    plugin = &open_device_plugin();
  } catch (const Error& missing) {
    GTEST_SKIP() << missing.what();
  }
  const auto device = plugin->open(0);
  CodecOnDevice(*device).compare_all();
}

}  // namespace
}  // namespace trireme::tests
