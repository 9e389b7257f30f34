#include "train/nf4_source.h"

#include <algorithm>
#include <cmath>

#include "model/nf4.h"
#include "sharding/codecs/nf4.h"
#include "sharding/layout.h"

namespace trireme::train {

void Nf4Source::take(const std::string& name, std::int64_t elements) {
  if (name == taken_) return;
  values_.resize(static_cast<std::size_t>(elements));
  base_.read(name, 0, DType::f32, std::as_writable_bytes(std::span(values_)));
  const sharding::Nf4Shape shape(elements);
  bytes_.resize(static_cast<std::size_t>(shape.bytes()));
  sharding::quantise_nf4(values_, bytes_.data());
  std::vector<float> original = values_;
  sharding::dequantise_nf4(shape, bytes_.data(), 0, elements, values_.data());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const double value = original[i], apart = value - static_cast<double>(values_[i]);
    squares_ += value * value, error_squares_ += apart * apart;
  }
  taken_ = name;
}

void Nf4Source::read(const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
  const std::string name = model::name_without_nf4(parameter.name);
  take(name, base_.elements(name));
  for (std::size_t i = 0; i < into.size(); ++i)
    into[i] = static_cast<float>(bytes_[static_cast<std::size_t>(begin) + i]);
}

void Nf4Source::read_values(const sharding::Parameter& weight, std::int64_t begin, std::span<float> into) {
  take(weight.name, sharding::element_count(weight));
  std::copy_n(values_.begin() + begin, into.size(), into.begin());
}

double Nf4Source::error() const {
  return squares_ > 0 ? std::sqrt(error_squares_ / squares_) : 0.0;
}

}  // namespace trireme::train
