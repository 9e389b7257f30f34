#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sharding/unit.h"
#include "train/pretrained.h"

namespace trireme::train {

/// Quantises weights of a base model as their bytes are asked for; keeps the last one.
class Nf4Source {
 public:
  explicit Nf4Source(const Pretrained& base) : base_(base) {}
  /// Bytes, as numbers from 0 to 255.
  void read(const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into);
  /// The values that those bytes stand for.
  void read_values(const sharding::Parameter& weight, std::int64_t begin, std::span<float> into);
  /// How far the 4-bit values taken so far are from the base's: the root of the mean square, over that of the
  /// base.
  double error() const;

 private:
  void take(const std::string& name, std::int64_t elements);

  const Pretrained& base_;
  std::string taken_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> values_;
  double squares_ = 0, error_squares_ = 0;
};

}  // namespace trireme::train
