#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme {

/// "1.50 GiB", "64 KiB", "17 B": for people; never parsed back.
std::string human_bytes(double bytes);
/// "64K", "64 KiB", "1.5G", "100MB", "17": K, M, G, T alone and with "iB" are powers of 1024, with "B" alone
/// powers of 1000. Throws a usage error that names the text.
std::uint64_t parse_bytes(std::string_view text);

}  // namespace trireme
