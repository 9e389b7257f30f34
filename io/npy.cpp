#include "io/npy.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "core/error.h"

namespace trireme::io {
namespace {

/// The text after `'key':` in the header's Python dictionary, without leading blanks.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& where) {
  const std::string quoted = fmt::format("'{}':", key);
  const auto at = header.find(quoted);
  if (at == std::string_view::npos) fail(ExitCode::damaged, "{}: the .npy header has no '{}'", where, key);
  header.remove_prefix(at + quoted.size());
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  return header;
}

std::vector<std::int64_t> parse_shape(std::string_view text, const std::string& where) {
  const auto close = text.find(')');
  if (text.empty() || text.front() != '(' || close == std::string_view::npos)
    fail(ExitCode::damaged, "{}: the .npy header's shape is not a tuple", where);
  text = text.substr(1, close - 1);
  std::vector<std::int64_t> shape;
  while (!text.empty()) {
    if (text.front() == ' ' || text.front() == ',') {
      text.remove_prefix(1);
      continue;
    }
    std::int64_t extent = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (status != std::errc() || extent < 0)
      fail(ExitCode::damaged, "{}: the .npy header's shape is not of counts", where);
    shape.push_back(extent);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return shape;
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path) : file_(File::open_for_reading(path)) {
  const std::string where = path.string();
  std::array<char, 12> start{};
  const std::uint64_t bytes = file_.size();
  if (bytes < start.size()) fail(ExitCode::damaged, "{}: too short for a .npy file", where);
  file_.read(0, std::as_writable_bytes(std::span(start)));
  if (std::string_view(start.data(), 6) != "\x93NUMPY")
    fail(ExitCode::configuration, "{}: is not a .npy file", where);
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(start[i]));
  };
  const bool short_length = byte(6) == 1;
  const std::uint64_t length =
      short_length ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  const std::uint64_t begin = short_length ? 10 : 12;
  if (length > bytes - begin || length > 1 << 20)
    fail(ExitCode::damaged, "{}: the .npy header is cut off", where);
  std::string header(length, '\0');
  file_.read(begin, std::as_writable_bytes(std::span(header)));
  data_begin_ = begin + length;

  const std::string_view type = value_of(header, "descr", where);
  if (type.starts_with("'<i4'")) {
    dtype_ = DType::i32;
  } else if (!type.starts_with("'<i8'")) {
    fail(ExitCode::configuration,
         "{}: holds elements other than little-endian int32 or int64, so it is not token ids", where);
  }
  if (!value_of(header, "fortran_order", where).starts_with("False"))
    fail(ExitCode::configuration, "{}: is in Fortran order; save it with numpy.ascontiguousarray", where);
  shape_ = parse_shape(value_of(header, "shape", where), where);
  for (const std::int64_t extent : shape_)
    if (__builtin_mul_overflow(elements_, static_cast<std::uint64_t>(extent), &elements_))
      fail(ExitCode::damaged, "{}: the .npy shape overflows 64 bits", where);
  const std::uint64_t held = (bytes - data_begin_) / size_of(dtype_);
  if (held != elements_ || (bytes - data_begin_) % size_of(dtype_) != 0)
    fail(ExitCode::damaged, "{}: the shape asks for {} elements, the file holds {}", where, elements_, held);
}

void NpyFile::read(std::uint64_t first, std::span<std::int64_t> out) const {
  require(first <= elements_ && out.size() <= elements_ - first, "{}: elements [{}, {} + {}) of {}",
          file_.path().string(), first, first, out.size(), elements_);
  if (dtype_ == DType::i64) return file_.read(data_begin_ + first * 8, std::as_writable_bytes(out));
  std::vector<std::int32_t> narrow(out.size());
  file_.read(data_begin_ + first * 4, std::as_writable_bytes(std::span(narrow)));
  std::copy(narrow.begin(), narrow.end(), out.begin());
}

}  // namespace trireme::io
