#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

struct XXH3_state_s;

namespace trireme::io {

/// XXH3 of bytes that come piece by piece.
class RunningDigest {
 public:
  RunningDigest();
  void add(std::span<const std::byte> bytes);
  /// XXH3-128 as 32 hexadecimal digits.
  std::string text() const;
  /// What `digest_of` makes of them; the next bytes are the first of others.
  std::uint64_t take();

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::uint64_t digest_of(std::span<const std::byte> bytes);
/// XXH3-128 as 32 hexadecimal digits.
std::string text_digest(std::string_view text);
std::string file_digest(const File& file);
std::string to_hex(std::uint64_t value);
/// Throws an error of the code "damaged", which names `where`.
std::uint64_t from_hex(std::string_view digits, const std::string& where);

}  // namespace trireme::io
