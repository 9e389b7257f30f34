#pragma once
#include <cstddef>

namespace trireme {

/// Lets go of the pages of the program's and its libraries' files, code and constants, that lie in memory for
/// this process. Most of them are of what runs once, while LibTorch is loaded; what is used again comes back
/// from the system's cache of files, page by page. Bytes of the mappings that were asked for.
std::size_t let_go_of_code_pages();

}  // namespace trireme
