#pragma once
#include "core/philox.h"

namespace trireme::model {

using trireme::philox;

}  // namespace trireme::model
