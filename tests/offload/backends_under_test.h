#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "offload/nvme/backend.h"

namespace trireme::offload::tests {

// The engine's tests run over what the program that they are linked into says.

std::vector<const char*> backends_under_test();
std::unique_ptr<Backend> backend_under_test(std::string_view name, unsigned depth);
/// Of the kind that these backends are for, at a page; the tests look at it.
Buffer memory_under_test(std::size_t bytes);

}  // namespace trireme::offload::tests
