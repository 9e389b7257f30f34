#include "io/checkpoint/difference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "io/convert.h"

namespace trireme::io {
namespace {

/// Elements at a time.
constexpr std::uint64_t window = std::uint64_t{1} << 19;

using Slices = std::map<std::string_view, std::vector<const StoredSlice*>>;

Slices slices_of(const Checkpoint& checkpoint) {
  Slices slices;
  for (const ShardRecord& shard : checkpoint.manifest().shards)
    for (const StoredSlice& slice : shard.slices)
      if (slice.count > 0) slices[slice.name].push_back(&slice);
  for (auto& [name, parts] : slices)
    std::sort(parts.begin(), parts.end(),
              [](const StoredSlice* a, const StoredSlice* b) { return a->begin < b->begin; });
  return slices;
}

bool have_equal_digests(const std::vector<const StoredSlice*>& one,
                        const std::vector<const StoredSlice*>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const StoredSlice* a, const StoredSlice* b) {
                      return a->begin == b->begin && a->count == b->count && a->digests == b->digests;
                    });
}

template <typename Integer>
void widen(std::span<const std::byte> from, std::vector<double>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    Integer value{};
    std::memcpy(&value, from.data() + i * sizeof value, sizeof value);
    to[i] = static_cast<double>(value);
  }
}

std::vector<double> values_of(DType dtype, std::span<const std::byte> bytes) {
  std::vector<double> values(bytes.size() / size_of(dtype));
  switch (dtype) {
    case DType::i8:
      widen<std::int8_t>(bytes, values);
      break;
    case DType::u8:
    case DType::boolean:
      widen<std::uint8_t>(bytes, values);
      break;
    case DType::i16:
      widen<std::int16_t>(bytes, values);
      break;
    case DType::i32:
      widen<std::int32_t>(bytes, values);
      break;
    case DType::i64:
      widen<std::int64_t>(bytes, values);
      break;
    case DType::f64:
      std::memcpy(values.data(), bytes.data(), bytes.size());
      break;
    default: {
      std::vector<float> narrow(values.size());
      convert_elements(dtype, bytes, DType::f32, std::as_writable_bytes(std::span(narrow)));
      std::copy(narrow.begin(), narrow.end(), values.begin());
    }
  }
  return values;
}

double distance(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return 0;
  const double apart = a == b ? 0 : std::abs(a - b);
  return std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
}

void compare_window(DType dtype, std::uint64_t first, std::span<const std::byte> one,
                    std::span<const std::byte> other, Difference& difference) {
  if (std::equal(one.begin(), one.end(), other.begin())) return;
  const std::vector<double> a = values_of(dtype, one), b = values_of(dtype, other);
  const std::size_t size = size_of(dtype);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(one.data() + i * size, other.data() + i * size, size) == 0) continue;
    if (difference.elements++ == 0) difference.first = first + i;
    difference.largest = std::max(difference.largest, distance(a[i], b[i]));
  }
}

Difference compare_values(const Checkpoint& one, const Checkpoint& other, const std::string& name,
                          const Checkpoint::Tensor& tensor, std::uint64_t& bytes_read) {
  Difference difference{name, Difference::Kind::values, 0, 0, 0};
  const std::uint64_t elements = elements_of(tensor.shape);
  std::vector<std::byte> a, b;
  for (std::uint64_t first = 0; first < elements; first += window) {
    const std::uint64_t bytes = std::min(window, elements - first) * size_of(tensor.dtype);
    a.resize(bytes), b.resize(bytes);
    one.read(name, first, a), other.read(name, first, b);
    bytes_read += 2 * bytes;
    compare_window(tensor.dtype, first, a, b, difference);
  }
  return difference;
}

}  // namespace

Comparison compare(const Checkpoint& one, const Checkpoint& other) {
  Comparison comparison;
  const Slices cuts = slices_of(one), other_cuts = slices_of(other);
  for (const auto& [name, tensor] : one.tensors()) {
    const auto found = other.tensors().find(name);
    if (found == other.tensors().end()) {
      comparison.differences.push_back({name, Difference::Kind::only_in_first, 0, 0, 0});
    } else if (found->second.dtype != tensor.dtype || found->second.shape != tensor.shape) {
      comparison.differences.push_back({name, Difference::Kind::type_or_shape, 0, 0, 0});
    } else if (elements_of(tensor.shape) == 0 || have_equal_digests(cuts.at(name), other_cuts.at(name))) {
      ++comparison.equal;
    } else {
      const Difference difference = compare_values(one, other, name, tensor, comparison.bytes_read);
      if (difference.elements == 0) {
        ++comparison.equal;
      } else {
        comparison.differences.push_back(difference);
      }
    }
  }
  for (const auto& [name, tensor] : other.tensors())
    if (!one.tensors().contains(name))
      comparison.differences.push_back({name, Difference::Kind::only_in_second, 0, 0, 0});
  return comparison;
}

}  // namespace trireme::io
