#include "comm/bench/subjects.h"

#include <algorithm>
#include <array>

#include "comm/bench/device_subject.h"
#include "comm/bench/mpi_subject.h"
#include "comm/bench/where_possible.h"
#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

constexpr std::array<const char*, 4> host_backends{"shm", "two_level", "mpi", "openmpi"};

std::unique_ptr<Subject> mpi_library(const Everyone& everyone, const Group& group) {
  MPI_Comm made = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(everyone.handle(), group.ranks.front(), group.index_of(everyone.rank()), &made),
            "MPI_Comm_split");
  auto subject = std::make_unique<MpiSubject>(made);
  MPI_Comm_free(&made);
  return subject;
}

std::unique_ptr<Subject> make_subject(const Site& site, const Group& group, const std::string& backend,
                                      bool plain_memory) {
  CommunicatorOptions options;
  options.name = "bench " + backend;
  if (site.device)
    return std::make_unique<DeviceCommunicatorSubject>(site.world.communicator(group, backend, options),
                                                       *site.device, plain_memory);
  if (backend == "openmpi") return mpi_library(site.everyone, group);
  return std::make_unique<CommunicatorSubject>(site.world.communicator(group, backend, options),
                                               plain_memory);
}

}  // namespace

std::vector<std::unique_ptr<Subject>> make_subjects(const Site& site, const Group& group,
                                                    const std::vector<std::string>& backends,
                                                    bool plain_memory) {
  std::vector<std::unique_ptr<Subject>> subjects;
  if (std::find(backends.begin(), backends.end(), "all") == backends.end()) {
    for (const std::string& backend : backends)
      subjects.push_back(make_subject(site, group, backend, plain_memory));
    return subjects;
  }
  if (site.device) {
    subjects.push_back(make_subject(site, group, "auto", plain_memory));
    return subjects;
  }
  for (const char* backend : host_backends) {
    auto subject =
        where_possible(site.everyone, [&] { return make_subject(site, group, backend, plain_memory); });
    if (subject) subjects.push_back(std::move(subject));
  }
  return subjects;
}

}  // namespace trireme::comm::bench
