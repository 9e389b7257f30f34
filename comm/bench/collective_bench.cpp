#include "comm/bench/collective_bench.h"

#include <algorithm>
#include <array>
#include <limits>

#include "comm/bench/check.h"
#include "comm/bench/device_subject.h"
#include "comm/bench/link_rate.h"
#include "comm/bench/memory_subject.h"
#include "comm/bench/peer_memory_subject.h"
#include "comm/bench/subjects.h"
#include "comm/bench/where_possible.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

struct Contestant {
  enum class Role {
    backend,
    limit,
    /// A limit that says something of gathers only.
    gather_limit,
    /// Tells which stores pay, in the buffers of the limit before it.
    read_back
  };

  std::unique_ptr<Subject> subject;
  Role role = Role::backend;
  Stores stores = Stores::cached;
  Buffer first, second;

  bool takes_part(Collective collective) const {
    return role != Role::gather_limit || reads_peers(collective);
  }
  bool is_limit() const { return role == Role::limit || role == Role::gather_limit; }
};
using Role = Contestant::Role;

struct Limits {
  double seconds = 0, any_stores_seconds = 0;
};

void fill_with_numbers(Buffer& buffer, std::size_t bytes) {
  auto* numbers = static_cast<float*>(buffer.data());
  constexpr std::size_t period = 1021;
  for (std::size_t i = 0; i < bytes / sizeof(float); ++i)
    numbers[i] = 1.0F + static_cast<float>(i % period) / period;
}

class Contest {
 public:
  Contest(const Site& site, const CollectiveOptions& options)
      : site_(site),
        options_(options),
        group_(group_of(options.span, site.world.node_of_rank(), site.world.rank())),
        shape_(shape_of(group_, site.world.node_of_rank())),
        rank_(group_.index_of(site.world.rank())) {
    for (auto& subject : make_subjects(site, group_, options.backends, options.plain_memory))
      add(std::move(subject), Role::backend);
    add_memory_limits();
    if (!site.device && shape_.nodes == 1) add_peer_limits();
    link_bytes_per_second_ = measure_link_rate(site.everyone, site.world.node_of_rank());
  }

  std::vector<Record> run(Collective collective) {
    std::vector<Record> records;
    for (const std::size_t bytes : options_.sizes) {
      const auto workload = Workload::fitting(collective, options_.dtype, options_.reduction, shape_.ranks,
                                              options_.in_place, bytes);
      if (workload.elements == 0) continue;
      run_size(workload, records);
    }
    add_fits(records);
    return records;
  }

 private:
  std::size_t largest() const { return *std::max_element(options_.sizes.begin(), options_.sizes.end()); }

  void add(std::unique_ptr<Subject> subject, Role role, Stores stores = Stores::cached) {
    Buffer first = subject->allocate(largest()), second = subject->allocate(largest());
    // Zeros are not like other contents to the memory: what is timed must not be all zeros.
    if (!site_.device) {
      fill_with_numbers(first, largest());
      fill_with_numbers(second, largest());
    }
    contestants_.push_back({std::move(subject), role, stores, std::move(first), std::move(second)});
  }

  /// Where the node cannot share that much memory, the limit of private copies stands alone.
  void add_peer_limits() {
    if (std::none_of(options_.collectives.begin(), options_.collectives.end(), bench::reads_peers)) return;
    for (const Stores stores : {Stores::cached, Stores::streaming})
      if (auto limit = where_possible(site_.everyone, [&] {
            return std::make_unique<PeerMemorySubject>(shape_, rank_, stores, largest());
          }))
        add(std::move(limit), Role::gather_limit, stores);
  }

  void add_memory_limits() {
    if (site_.device)
      return add(std::make_unique<DeviceMemorySubject>(*site_.device, shape_, rank_), Role::limit);
    for (const Stores stores : {Stores::cached, Stores::streaming}) {
      add(std::make_unique<MemorySubject>(shape_, rank_, stores, false), Role::limit, stores);
      contestants_.push_back(
          {std::make_unique<MemorySubject>(shape_, rank_, stores, true), Role::read_back, stores, {}, {}});
    }
  }

  std::uint64_t check(Contestant& contestant, const Workload& workload, const Placed& placed) const {
    site_.everyone.barrier();
    const std::uint64_t wrong =
        run_and_count_wrong(*contestant.subject, workload, rank_, placed, site_.device);
    return static_cast<std::uint64_t>(site_.everyone.total(static_cast<long long>(wrong)));
  }

  void run_size(const Workload& workload, std::vector<Record>& records) {
    std::vector<Subject*> subjects;
    std::vector<const Contestant*> present;
    std::vector<std::optional<std::uint64_t>> wrong;
    const Contestant* holder = nullptr;
    for (Contestant& contestant : contestants_) {
      if (!contestant.takes_part(workload.collective)) continue;
      present.push_back(&contestant);
      if (contestant.role != Role::read_back) holder = &contestant;
      Workload laid_out = workload;
      // Copying needs a source of its own, even where the collective would have none.
      if (contestant.role != Role::backend) laid_out.in_place = false;
      const Placed placed = place(laid_out, rank_, holder->first.data(), holder->second.data());
      contestant.subject->prepare(workload, placed);
      subjects.push_back(contestant.subject.get());
      wrong.emplace_back();
      if (options_.check && contestant.role == Role::backend)
        wrong.back() = check(contestant, workload, placed);
    }
    const std::vector<Summary> times = measure_in_turns(subjects, site_.everyone, options_.measure);
    const Limits limits = limits_of(workload, present, times);
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (present[i]->role != Role::backend) continue;
      records.push_back({workload,
                         subjects[i]->name(),
                         site_.device ? "device" : "host",
                         shape_.nodes,
                         times[i],
                         limits.seconds,
                         limits.any_stores_seconds,
                         wrong[i],
                         {}});
    }
  }

  /// The memory of each node and the link between them can work at the same time, so the slower of the two is
  /// the limit.
  Limits limits_of(const Workload& workload, const std::vector<const Contestant*>& present,
                   const std::vector<Summary>& times) const {
    constexpr double never = std::numeric_limits<double>::infinity();
    MemoryTimes cached{never, never}, streaming{never, never};
    for (std::size_t i = 0; i < present.size(); ++i) {
      MemoryTimes& of = present[i]->stores == Stores::cached ? cached : streaming;
      if (present[i]->is_limit()) of.moved = std::min(of.moved, times[i].median);
      if (present[i]->role == Role::read_back) of.read_back = times[i].median;
    }
    const double link = link_bytes(workload, shape_) / link_bytes_per_second_;
    return {std::max(memory_limit(cached, streaming), link),
            std::max(std::min(cached.moved, streaming.moved), link)};
  }

  void add_fits(std::vector<Record>& records) const {
    for (const Contestant& contestant : contestants_) {
      const std::string name = contestant.subject->name();
      std::vector<Sample> samples;
      for (const Record& record : records)
        if (record.backend == name)
          samples.push_back({double(record.workload.bytes()), record.seconds.median});
      const auto fit = fit_alpha_beta(samples);
      for (Record& record : records)
        if (record.backend == name) record.fit = fit;
    }
  }

  const Site& site_;
  const CollectiveOptions& options_;
  Group group_;
  GroupShape shape_;
  int rank_;
  double link_bytes_per_second_ = 0;
  std::vector<Contestant> contestants_;
};

}  // namespace

void validate(const CollectiveOptions& options) {
  for (const Collective collective : options.collectives) {
    const bool allowed = collective == Collective::all_reduce || collective == Collective::all_gather ||
                         collective == Collective::broadcast;
    if (options.in_place && !allowed)
      fail(ExitCode::usage,
           "{} cannot be in place; name all_gather, all_reduce or broadcast, or leave --in-place out",
           name_of(collective));
    if (options.dtype == DType::boolean && reduces(collective))
      fail(ExitCode::usage, "{} does not reduce booleans; choose another --dtype", name_of(collective));
  }
  if (options.measure.repeats < 1)
    fail(ExitCode::usage, "--repeats is {}; give at least 1", options.measure.repeats);
  if (options.measure.warmups < 0 || options.measure.iterations < 0)
    fail(ExitCode::usage, "--warmup-iters and --iters cannot be below 0");
}

void run_collectives(const Site& site, const CollectiveOptions& options, const RecordSink& sink) {
  Contest contest(site, options);
  for (const Collective collective : options.collectives) sink(contest.run(collective));
}

}  // namespace trireme::comm::bench
