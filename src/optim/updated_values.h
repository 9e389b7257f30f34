#pragma once
#include <cstdint>
#include <type_traits>

#include "core/error.h"
#include "offload/optimizer/halves.h"
#include "offload/optimizer/updated_values.h"
#include "sharding/optimizer.h"

namespace trireme::optim {

inline offload::UpdatedValues values_of(const sharding::UpdateRun& run) {
  return {run.master, run.copy, run.copy_dtype, run.lower};
}

/// The values of a run, and what is written as they are stored, in one pass.
template <typename Copy>
struct WholeValues {
  float* __restrict master;
  Copy* __restrict copy;
  float get(std::int64_t i) const { return master[i]; }
  void put(std::int64_t i, float value) const {
    if constexpr (std::is_same_v<Copy, BFloat16>) value = offload::splittable(value);
    master[i] = value;
    if constexpr (!std::is_void_v<Copy>) copy[i] = Copy(value);
  }
};

struct SplitValues {
  BFloat16* __restrict nearest;
  std::uint16_t* __restrict lower;
  float get(std::int64_t i) const { return offload::joined({nearest[i], lower[i]}); }
  void put(std::int64_t i, float value) const {
    const offload::Halves halves = offload::halves_of(offload::splittable(value));
    nearest[i] = halves.nearest, lower[i] = halves.lower;
  }
};

/// Calls `loop` with the values as the run keeps them.
template <typename Loop>
void with_values(const offload::UpdatedValues& run, const Loop& loop) {
  if (run.lower) return loop(SplitValues{static_cast<BFloat16*>(run.copy), run.lower});
  if (!run.copy) return loop(WholeValues<void>{run.master, nullptr});
  switch (run.copy_type) {
    case DType::f32:
      return loop(WholeValues<float>{run.master, static_cast<float*>(run.copy)});
    case DType::bf16:
      return loop(WholeValues<BFloat16>{run.master, static_cast<BFloat16*>(run.copy)});
    case DType::f16:
      return loop(WholeValues<Float16>{run.master, static_cast<Float16*>(run.copy)});
    default:
      fail(ExitCode::internal, "trained parameters are not stored as {}", name_of(run.copy_type));
  }
}

}  // namespace trireme::optim
