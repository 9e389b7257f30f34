#pragma once
#include <cstdint>

#include "core/error.h"
#include "sharding/optimizer.h"

namespace trireme::optim {

/// Calls `loop` with a functor that writes element i of a run's copy as it is stored, so that the update and
/// the copy are one pass.
template <typename Loop>
void with_copy(const sharding::UpdateRun& run, const Loop& loop) {
  if (!run.copy) return loop([](std::int64_t, float) {});
  switch (run.copy_dtype) {
    case DType::f32:
      return loop([into = static_cast<float*>(run.copy)](std::int64_t i, float value) { into[i] = value; });
    case DType::bf16:
      return loop([into = static_cast<BFloat16*>(run.copy)](std::int64_t i, float value) {
        into[i] = BFloat16(value);
      });
    case DType::f16:
      return loop([into = static_cast<Float16*>(run.copy)](std::int64_t i, float value) {
        into[i] = Float16(value);
      });
    default:
      fail(ExitCode::internal, "trained parameters are not stored as {}", name_of(run.copy_dtype));
  }
}

}  // namespace trireme::optim
