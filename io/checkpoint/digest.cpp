#include "io/checkpoint/digest.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <xxhash.h>

#include "core/error.h"
#include "io/checkpoint/slices.h"

namespace trireme::io {
namespace {

std::string hex_of(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

std::uint64_t elements_of(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

std::uint64_t digest_of(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

RunningDigest::RunningDigest() : state_(XXH3_createState()) {
  require(state_ != nullptr, "no memory for a digest");
  XXH3_128bits_reset(state_.get());
}

void RunningDigest::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

void RunningDigest::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string RunningDigest::text() const {
  return hex_of(XXH3_128bits_digest(state_.get()));
}

// Both widths are the same but for this last step, and for what they are called.
std::uint64_t RunningDigest::take() {
  const std::uint64_t value = XXH3_64bits_digest(state_.get());
  XXH3_128bits_reset(state_.get());
  return value;
}

std::string text_digest(std::string_view text) {
  return hex_of(XXH3_128bits(text.data(), text.size()));
}

std::string file_digest(const File& file) {
  RunningDigest digest;
  std::vector<std::byte> buffer(digest_chunk);
  const std::uint64_t bytes = file.size();
  for (std::uint64_t at = 0; at < bytes; at += buffer.size()) {
    const std::span piece(buffer.data(), std::min<std::uint64_t>(buffer.size(), bytes - at));
    file.read(at, piece);
    digest.add(piece);
  }
  return digest.text();
}

std::string to_hex(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

std::uint64_t from_hex(std::string_view digits, const std::string& where) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (status != std::errc() || end != digits.data() + digits.size() || digits.size() != 16)
    fail(ExitCode::damaged, "{}: \"{}\" is not a digest", where, digits.substr(0, 40));
  return value;
}

}  // namespace trireme::io
