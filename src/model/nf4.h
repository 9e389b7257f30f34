#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/pretrained.h"
#include "sharding/unit.h"

namespace trireme::model {

/// A weight whose group stores it in 4 bits: one run of bytes (sharding/codecs/nf4.h) under the weight's name
/// with ".nf4".
sharding::Parameter nf4_parameter(const sharding::Parameter& weight);
bool is_nf4(std::string_view parameter);
std::string name_without_nf4(const std::string& parameter);

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

/// As `linear`, for a weight of `shape` in 4 bits. The weight is frozen; it is made anew for each product, in
/// x's type, and not kept.
at::Tensor nf4_linear(const at::Tensor& x, const at::Tensor& bytes, at::IntArrayRef shape,
                      const at::Tensor& bias, bool transposed);

}  // namespace trireme::model
