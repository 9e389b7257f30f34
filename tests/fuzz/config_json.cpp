#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    trireme::model::parse_config({reinterpret_cast<const char*>(data), size}, "config.json");
  } catch (const trireme::Error&) {
  }
  return 0;
}
