#pragma once
#include <cstdint>

#include "sharding/unit.h"

namespace trireme::model {

/// Makes the frozen matrices of a model's blocks as large as the bytes of NF4 with doubly quantised scales,
/// for planning: half a byte an element, a byte for 64 and four for 16384. Vectors, embedding and head stay
/// in bf16.
void shrink_to_nf4(sharding::Model& model);

/// Of a matrix of so many elements.
std::int64_t nf4_bytes(std::int64_t elements);

}  // namespace trireme::model
