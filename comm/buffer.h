#pragma once
#include "core/buffer.h"

namespace trireme::comm {

using trireme::Buffer;

}  // namespace trireme::comm
