#pragma once
#include "cuda/kernels/runs.h"
#include "offload/optimizer/halves.h"
#include "offload/optimizer/updated_values.h"

// Where an update finds the values of its run and leaves the new ones (offload/optimizer/scalar.h).
namespace trireme::cuda::on_device {

struct MasterAlone {
  float* master;
  explicit MasterAlone(const offload::UpdatedValues& values) : master(values.master) {}

  template <int width>
  TRIREME_DEVICE void get(std::int64_t i, int n, float (&into)[width]) const {
    load(master + i, n, into);
  }
  template <int width>
  TRIREME_DEVICE void put(std::int64_t i, int n, const float (&values)[width]) const {
    store(values, master + i, n);
  }
};

/// Masters of a copy in bf16 are kept splittable.
template <typename Copy, bool splittable>
struct MasterAndCopy {
  float* master;
  Copy* copy;
  explicit MasterAndCopy(const offload::UpdatedValues& values)
      : master(values.master), copy(static_cast<Copy*>(values.copy)) {}

  template <int width>
  TRIREME_DEVICE void get(std::int64_t i, int n, float (&into)[width]) const {
    load(master + i, n, into);
  }
  template <int width>
  TRIREME_DEVICE void put(std::int64_t i, int n, const float (&values)[width]) const {
    float kept[width];
    for (int k = 0; k < width; ++k) kept[k] = splittable ? offload::splittable(values[k]) : values[k];
    store(kept, master + i, n);
    store(kept, copy + i, n);
  }
};

struct InHalves {
  std::uint16_t* nearest;
  std::uint16_t* lower;
  explicit InHalves(const offload::UpdatedValues& values)
      : nearest(static_cast<std::uint16_t*>(values.copy)), lower(values.lower) {}

  template <int width>
  TRIREME_DEVICE void get(std::int64_t i, int n, float (&into)[width]) const {
    const Pack<std::uint16_t, width> upper_halves = load_pack<width>(nearest + i, n),
                                     lower_halves = load_pack<width>(lower + i, n);
    for (int k = 0; k < width; ++k) {
      offload::Halves halves;
      halves.nearest.bits = upper_halves.values[k], halves.lower = lower_halves.values[k];
      into[k] = offload::joined(halves);
    }
  }
  template <int width>
  TRIREME_DEVICE void put(std::int64_t i, int n, const float (&values)[width]) const {
    Pack<std::uint16_t, width> upper_halves, lower_halves;
    for (int k = 0; k < width; ++k) {
      const offload::Halves halves = offload::halves_of(offload::splittable(values[k]));
      upper_halves.values[k] = halves.nearest.bits, lower_halves.values[k] = halves.lower;
    }
    store_pack<width>(upper_halves, nearest + i, n);
    store_pack<width>(lower_halves, lower + i, n);
  }
};

}  // namespace trireme::cuda::on_device
