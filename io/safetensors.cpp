#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <optional>

#include "core/error.h"
#include "io/convert.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

std::optional<std::uint64_t> as_count(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  return std::nullopt;
}

const json::value& field(const json::object& entry, std::string_view key, const std::string& tensor,
                         const std::string& where) {
  const json::value* value = entry.if_contains({key.data(), key.size()});
  if (!value) fail(ExitCode::damaged, "{}: tensor {} has no \"{}\"", where, tensor, key);
  return *value;
}

std::vector<std::int64_t> shape_of(const json::value& value, const std::string& tensor,
                                   const std::string& where) {
  if (!value.is_array()) fail(ExitCode::damaged, "{}: the shape of tensor {} is not a list", where, tensor);
  std::vector<std::int64_t> shape;
  for (const json::value& extent : value.get_array()) {
    const auto count = as_count(extent);
    if (!count || *count > std::uint64_t{1} << 62)
      fail(ExitCode::damaged, "{}: the shape of tensor {} holds something other than a count", where, tensor);
    shape.push_back(static_cast<std::int64_t>(*count));
  }
  return shape;
}

std::uint64_t bytes_of(const StoredTensor& tensor, const std::string& where) {
  std::uint64_t bytes = size_of(tensor.dtype);
  for (const std::int64_t extent : tensor.shape)
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes))
      fail(ExitCode::damaged, "{}: the shape of tensor {} overflows 64 bits", where, tensor.name);
  return bytes;
}

StoredTensor parse_entry(const std::string& name, const json::value& value, std::uint64_t data_begin,
                         std::uint64_t data_bytes, const std::string& where) {
  if (!value.is_object()) fail(ExitCode::damaged, "{}: the entry of tensor {} is not an object", where, name);
  const json::object& entry = value.get_object();
  for (const auto& item : entry)
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets")
      fail(ExitCode::damaged, "{}: tensor {} has an unknown field \"{}\"", where, name,
           std::string(item.key()));
  StoredTensor tensor;
  tensor.name = name;
  const json::value& dtype = field(entry, "dtype", name, where);
  const auto known = dtype.is_string() ? dtype_from_name(std::string_view(dtype.get_string())) : std::nullopt;
  if (!known)
    fail(ExitCode::configuration, "{}: tensor {} has the dtype {}, which trireme does not read", where, name,
         dtype.is_string() ? std::string(dtype.get_string()) : "(not a string)");
  tensor.dtype = *known;
  tensor.shape = shape_of(field(entry, "shape", name, where), name, where);
  const json::value& offsets = field(entry, "data_offsets", name, where);
  if (!offsets.is_array() || offsets.get_array().size() != 2)
    fail(ExitCode::damaged, "{}: the data_offsets of tensor {} are not a pair", where, name);
  const auto begin = as_count(offsets.get_array()[0]), end = as_count(offsets.get_array()[1]);
  if (!begin || !end || *begin > *end || *end > data_bytes)
    fail(ExitCode::damaged, "{}: the data_offsets of tensor {} lie outside the file's {} data bytes", where,
         name, data_bytes);
  const std::uint64_t expected = bytes_of(tensor, where);
  if (expected != *end - *begin)
    fail(ExitCode::damaged, "{}: tensor {} needs {} bytes by shape and dtype, but its data_offsets span {}",
         where, name, expected, *end - *begin);
  tensor.begin = data_begin + *begin;
  tensor.end = data_begin + *end;
  return tensor;
}

void check_coverage(const std::vector<StoredTensor>& tensors, std::uint64_t data_begin,
                    std::uint64_t file_bytes, const std::string& where) {
  std::uint64_t next = data_begin;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.begin < next)
      fail(ExitCode::damaged, "{}: tensor {} overlaps the one before it by {} bytes", where, tensor.name,
           next - tensor.begin);
    if (tensor.begin > next)
      fail(ExitCode::damaged, "{}: {} bytes before tensor {} belong to no tensor", where, tensor.begin - next,
           tensor.name);
    next = tensor.end;
  }
  if (next != file_bytes)
    fail(ExitCode::damaged, "{}: {} bytes at the end belong to no tensor", where, file_bytes - next);
}

std::uint64_t header_length(const File& file, const std::string& where) {
  const std::uint64_t bytes = file.size();
  if (bytes < 8)
    fail(ExitCode::damaged, "{}: is {} bytes long, too short for a safetensors file", where, bytes);
  std::array<std::byte, 8> prefix{};
  file.read(0, prefix);
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(prefix[i]);
  if (length > longest_safetensors_header)
    fail(ExitCode::damaged, "{}: claims a header of {} bytes; the format allows {}", where, length,
         longest_safetensors_header);
  if (length > bytes - 8)
    fail(ExitCode::damaged, "{}: claims a header of {} bytes, but the file has only {} after its length",
         where, length, bytes - 8);
  return length;
}

SafetensorsHeader load_header(const File& file) {
  const std::string where = file.path().string();
  std::string text(header_length(file, where), '\0');
  file.read(8, std::as_writable_bytes(std::span(text)));
  return parse_safetensors_header(text, file.size(), where);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view header, std::uint64_t file_bytes,
                                           const std::string& where) {
  const std::uint64_t data_begin = 8 + header.size();
  require(file_bytes >= data_begin, "{}: header of {} bytes in a file of {}", where, header.size(),
          file_bytes);
  if (header.empty() || header.front() != '{')
    fail(ExitCode::damaged, "{}: the header is not a JSON object", where);
  const json::value root = parse_strict_json(header, where);
  SafetensorsHeader result;
  for (const auto& item : root.get_object()) {
    const std::string name(item.key());
    if (name == "__metadata__") {
      if (!item.value().is_object()) fail(ExitCode::damaged, "{}: __metadata__ is not an object", where);
      for (const auto& note : item.value().get_object()) {
        if (!note.value().is_string())
          fail(ExitCode::damaged, "{}: __metadata__ \"{}\" is not a string", where, std::string(note.key()));
        result.metadata.emplace(note.key(), note.value().get_string());
      }
    } else {
      result.tensors.push_back(parse_entry(name, item.value(), data_begin, file_bytes - data_begin, where));
    }
  }
  std::sort(result.tensors.begin(), result.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_coverage(result.tensors, data_begin, file_bytes, where);
  return result;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(File::open_for_reading(path)), header_(load_header(file_)) {
  for (std::size_t i = 0; i < header_.tensors.size(); ++i) by_name_.emplace(header_.tensors[i].name, i);
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &header_.tensors[found->second];
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  if (!tensor) fail(ExitCode::configuration, "{}: holds no tensor {}", path().string(), name);
  return *tensor;
}

void SafetensorsFile::read(const StoredTensor& tensor, std::uint64_t first, std::span<std::byte> out) const {
  const std::uint64_t count = out.size() / size_of(tensor.dtype);
  require(out.size() % size_of(tensor.dtype) == 0 && first <= tensor.elements() &&
              count <= tensor.elements() - first,
          "{}: slice [{}, {} + {}) of tensor {} with {} elements", path().string(), first, first, count,
          tensor.name, tensor.elements());
  file_.read(tensor.begin + first * size_of(tensor.dtype), out);
}

void SafetensorsFile::read_as(const StoredTensor& tensor, std::uint64_t first, DType target,
                              std::span<std::byte> out) const {
  if (tensor.dtype == target) return read(tensor, first, out);
  constexpr std::size_t piece = 32768;
  std::array<std::byte, piece * 8> stored;
  const std::size_t count = out.size() / size_of(target);
  for (std::size_t done = 0; done < count; done += piece) {
    const std::size_t here = std::min(piece, count - done);
    const std::span<std::byte> from(stored.data(), here * size_of(tensor.dtype));
    read(tensor, first + done, from);
    convert_elements(tensor.dtype, from, target, out.subspan(done * size_of(target), here * size_of(target)));
  }
}

}  // namespace trireme::io
