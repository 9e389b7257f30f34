#pragma once
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/communicator.h"

namespace trireme::comm::tests {

/// One backend under the tests that all backends pass. A program links conformance_*.cpp and instantiates the
/// suite: INSTANTIATE_TEST_SUITE_P(Shm, Conformance, testing::Values(target), name_of_target).
struct ConformanceTarget {
  std::string name;
  std::string backend;
  /// Runs the body once for each rank of a fresh world, in threads or in this process for its own rank.
  std::function<void(const std::function<void(World&)>&)> on_each_rank;
  /// Whether calls that differ among the ranks are refused on all of them.
  bool finds_mismatches = true;
  /// Whether a rank that never comes can be tested, and the program goes on after it.
  bool survives_time_outs = true;
  /// Whether it reduces 16-bit integers, which not every library has.
  bool reduces_i16 = true;
  /// Whether half types are summed over all ranks before they are rounded.
  bool rounds_once = true;
  /// Whether who waits sleeps.
  bool gives_way = false;
};

inline std::ostream& operator<<(std::ostream& out, const ConformanceTarget& target) {
  return out << target.name;
}
inline std::string name_of_target(const testing::TestParamInfo<ConformanceTarget>& info) {
  return info.param.name;
}

class Conformance : public testing::TestWithParam<ConformanceTarget> {
 protected:
  void on_each_rank(const std::function<void(World&)>& body) { GetParam().on_each_rank(body); }
  /// The types that the target reduces.
  std::vector<DType> reducible() const;
  /// The target's communicator for all ranks of the world.
  std::unique_ptr<Communicator> everyone(World& world, CommunicatorOptions options = {}) const;
  std::unique_ptr<Communicator> over(World& world, const Group& group,
                                     CommunicatorOptions options = {}) const;
};

Group all_ranks(const World& world);

/// Where a rank's data lie in a test.
enum class Where { plain, shared, mixed };

/// Memory of one rank for the calls of a test: some from allocate(), some of its own, with sentinels behind
/// each piece.
class Memory {
 public:
  Memory(Communicator& communicator, std::size_t bytes);
  /// Makes all pieces free again.
  void clear() { used_[0] = used_[1] = 0, taken_.clear(); }
  /// `mixed` means shared on even ranks and plain on odd ones. Pieces start at odd multiples of their
  /// element's width.
  std::byte* take(std::size_t elements, DType dtype, Where where);
  /// Whether nobody wrote behind a piece.
  bool intact() const;

 private:
  static constexpr std::size_t guard = 64;
  int rank_;
  Buffer shared_;
  std::vector<std::byte> plain_;
  std::size_t used_[2] = {0, 0};
  std::vector<std::byte*> taken_;
};

/// Reads and writes elements of any dtype as double.
double get(const void* data, std::size_t index, DType dtype);
void set(void* data, std::size_t index, DType dtype, double value);

/// A small whole number for element `index` of `rank`: sums over the ranks of a test are exact in every
/// dtype.
double sample(int rank, std::size_t index, DType dtype);
void fill(void* data, std::size_t first, std::size_t count, int rank, DType dtype);
/// What a reduction of the samples of all ranks gives, worked out one element at a time.
double reduced(int ranks, std::size_t index, DType dtype, Reduction reduction);

const std::vector<DType>& all_dtypes();
const std::vector<Reduction>& all_reductions();
/// Even, uneven and partly empty cuts, of sizes from nothing to several slots of staging memory; the same on
/// all ranks.
std::vector<Shards> sample_cuts(int ranks, unsigned seed);
std::vector<std::size_t> sample_counts(unsigned seed);

}  // namespace trireme::comm::tests
