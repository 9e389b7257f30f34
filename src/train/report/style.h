#pragma once
#include <string_view>

namespace trireme::train {

/// The page's style, for light and dark, and the script that shows values under the pointer. Neither holds
/// what XML would have to escape.
std::string_view report_style();
std::string_view report_script();

}  // namespace trireme::train
