#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "io/safetensors.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  const testing::InputFile file(std::span(data, size));
  try {
    const io::SafetensorsFile tensors(file.path());
    for (const io::StoredTensor& tensor : tensors.tensors()) {
      std::vector<std::byte> bytes(tensor.elements() * sizeof(float));
      tensors.read_as(tensor, 0, DType::f32, bytes);
    }
  } catch (const Error&) {
  }
  return 0;
}
