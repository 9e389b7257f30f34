#include "sharding/crew.h"

#include <algorithm>
#include <numeric>

#include "core/event.h"

namespace trireme::sharding {
namespace {

/// Shorter loops are over before another thread wakes.
constexpr std::int64_t worth_sharing = 1 << 16;
constexpr std::int64_t cut_at = 64, run_of_a_sum = 1 << 20;

}  // namespace

Crew::Crew(int threads, const std::string& name) {
  for (int i = 1; i < threads; ++i) others_.push_back(std::make_unique<Lane>(name + std::to_string(i)));
}

void Crew::share(std::int64_t elements, const Work& work, const Granule& granule) {
  const bool whole = granule.kind == Granule::Kind::tensor || elements < worth_sharing || others_.empty();
  if (whole) {
    if (elements > 0) work(0, elements);
    return;
  }
  const auto threads = static_cast<std::int64_t>(others_.size()) + 1;
  const std::int64_t unit = std::lcm(cut_at, granule.elements);
  const std::int64_t each = (elements / threads + unit - 1) / unit * unit;
  std::vector<Event> done;
  for (std::int64_t i = 1; i < threads; ++i) {
    const std::int64_t begin = std::min(i * each, elements), end = std::min(begin + each, elements);
    if (begin < end)
      done.push_back(
          others_[static_cast<std::size_t>(i - 1)]->post([=, &work] { work(begin, end - begin); }));
  }
  // Whatever fails here, the others use `work` until they are done.
  std::exception_ptr failure;
  try {
    work(0, std::min(each, elements));
  } catch (...) {
    failure = std::current_exception();
  }
  for (const Event& event : done) {
    try {
      event.wait();
    } catch (...) {
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

double Crew::sum(std::int64_t elements,
                 const std::function<double(std::int64_t begin, std::int64_t count)>& work) {
  std::vector<double> runs(static_cast<std::size_t>((elements + run_of_a_sum - 1) / run_of_a_sum));
  share(
      static_cast<std::int64_t>(runs.size()) * run_of_a_sum,
      [&](std::int64_t begin, std::int64_t count) {
        for (std::int64_t at = begin; at < begin + count; at += run_of_a_sum)
          runs[static_cast<std::size_t>(at / run_of_a_sum)] = work(at, std::min(run_of_a_sum, elements - at));
      },
      Granule::block(run_of_a_sum));
  return std::accumulate(runs.begin(), runs.end(), 0.0);
}

}  // namespace trireme::sharding
