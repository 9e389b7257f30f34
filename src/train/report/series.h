#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace trireme::train {

/// A curve: values over steps; what is not finite is left out by whoever makes it.
struct Series {
  std::vector<double> x, y;
  std::size_t size() const { return x.size(); }
};

/// At most `most` points that keep what is seen of the curve: of each stretch its first, lowest and highest.
Series thinned(const Series& series, std::size_t most);

/// Round numbers from `least` to `most`, about `wanted` of them.
std::vector<double> ticks(double least, double most, int wanted);
/// 1500 → "1.5k", 0.0002 → "2e-4".
std::string short_number(double value);

}  // namespace trireme::train
