#include "offload/optimizer/team.h"

#include <algorithm>
#include <utility>

#include "offload/host/numa.h"

namespace trireme::offload {

Team::Team(std::vector<int> cores) {
  for (std::size_t member = 1; member < cores.size(); ++member)
    threads_.emplace_back([this, member, core = cores[member]] { serve(static_cast<int>(member), core); });
}

Team::~Team() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::serve(int member, int core) {
  pin_thread(core);
  std::unique_lock lock(mutex_);
  for (std::uint64_t last = 0;;) {
    begun_.wait(lock, [&] { return stopping_ || turn_ != last; });
    if (stopping_) return;
    last = turn_;
    const auto& work = *work_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work(member);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    if (--busy_ == 0) ended_.notify_one();
  }
}

void Team::run(const std::function<void(int member)>& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    busy_ = static_cast<int>(threads_.size());
    failure_ = nullptr;
    ++turn_;
  }
  begun_.notify_all();
  std::exception_ptr mine;
  try {
    work(0);
  } catch (...) {
    mine = std::current_exception();
  }
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return busy_ == 0; });
  const std::exception_ptr failure = mine ? mine : std::exchange(failure_, nullptr);
  lock.unlock();
  if (failure) std::rethrow_exception(failure);
}

void Team::for_ranges(std::int64_t count, std::int64_t granule,
                      const std::function<void(std::int64_t, std::int64_t)>& work) {
  const std::int64_t granules = (count + granule - 1) / granule, members = size();
  if (granules <= 1 || members == 1) return work(0, count);
  run([&](int member) {
    const std::int64_t begin = granules * member / members * granule;
    const std::int64_t end = std::min(granules * (member + 1) / members * granule, count);
    if (begin < end) work(begin, end);
  });
}

}  // namespace trireme::offload
