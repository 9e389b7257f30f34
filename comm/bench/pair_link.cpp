#include "comm/bench/pair_link.h"

#include <algorithm>
#include <array>
#include <climits>
#include <numeric>

#include "comm/bench/subject.h"
#include "comm/bench/ucx_link.h"
#include "comm/bench/where_possible.h"
#include "comm/ucx/ucx_links.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

class CommunicatorLink final : public PairLink {
 public:
  CommunicatorLink(std::unique_ptr<Communicator> communicator, std::size_t message_bytes)
      : communicator_(std::move(communicator)),
        bytes_(message_bytes),
        data_(communicator_->allocate(message_bytes)) {}

  std::string name() const override { return std::string(communicator_->backend()); }

  void exchange(int peer, bool leads, int times) override {
    for (int i = 0; i < times; ++i) {
      if (leads) communicator_->send(data_.data(), exchanged_bytes, DType::u8, peer);
      communicator_->receive(data_.data(), exchanged_bytes, DType::u8, peer);
      if (!leads) communicator_->send(data_.data(), exchanged_bytes, DType::u8, peer);
    }
  }

  void stream(int peer, bool leads, int messages) override {
    for (int i = 0; i < messages; ++i) {
      if (leads) {
        communicator_->send(data_.data(), bytes_, DType::u8, peer);
      } else {
        communicator_->receive(data_.data(), bytes_, DType::u8, peer);
      }
    }
    if (leads) {
      communicator_->receive(data_.data(), exchanged_bytes, DType::u8, peer);
    } else {
      communicator_->send(data_.data(), exchanged_bytes, DType::u8, peer);
    }
  }

 private:
  std::unique_ptr<Communicator> communicator_;
  std::size_t bytes_;
  Buffer data_;
};

class MpiLink final : public PairLink {
 public:
  MpiLink(MPI_Comm all, std::size_t message_bytes)
      : all_(all), bytes_(to_count(message_bytes)), data_(ordinary_memory(message_bytes)) {}

  std::string name() const override { return "openmpi"; }

  void exchange(int peer, bool leads, int times) override {
    for (int i = 0; i < times; ++i) {
      if (leads) send_small(peer);
      receive_small(peer);
      if (!leads) send_small(peer);
    }
  }

  void stream(int peer, bool leads, int messages) override {
    constexpr int under_way = 16;
    std::array<MPI_Request, under_way> requests;
    for (int begun = 0; begun < messages;) {
      const int now = std::min(under_way, messages - begun);
      for (int i = 0; i < now; ++i) {
        MPI_Request& request = requests[static_cast<std::size_t>(i)];
        if (leads) {
          check_mpi(MPI_Isend(data_.data(), bytes_, MPI_BYTE, peer, 0, all_, &request), "MPI_Isend");
        } else {
          check_mpi(MPI_Irecv(data_.data(), bytes_, MPI_BYTE, peer, 0, all_, &request), "MPI_Irecv");
        }
      }
      check_mpi(MPI_Waitall(now, requests.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
      begun += now;
    }
    if (leads) {
      receive_small(peer);
    } else {
      send_small(peer);
    }
  }

 private:
  static int to_count(std::size_t bytes) {
    if (bytes > INT_MAX)
      fail(ExitCode::usage, "--pair-size is above the {} bytes that one MPI message holds", INT_MAX);
    return static_cast<int>(bytes);
  }
  void send_small(int peer) {
    check_mpi(MPI_Send(data_.data(), exchanged_bytes, MPI_BYTE, peer, 1, all_), "MPI_Send");
  }
  void receive_small(int peer) {
    check_mpi(MPI_Recv(data_.data(), exchanged_bytes, MPI_BYTE, peer, 1, all_, MPI_STATUS_IGNORE),
              "MPI_Recv");
  }

  MPI_Comm all_;
  int bytes_;
  Buffer data_;
};

std::unique_ptr<PairLink> make_link(const Site& site, const std::string& backend, std::size_t bytes) {
  if (backend == "openmpi" && !site.device) return make_mpi_link(site.everyone, bytes);
  Group all;
  all.ranks.resize(static_cast<std::size_t>(site.world.size()));
  std::iota(all.ranks.begin(), all.ranks.end(), 0);
  CommunicatorOptions options;
  options.name = "pairs " + backend;
  return make_communicator_link(site.world.communicator(all, backend, options), bytes);
}

}  // namespace

std::unique_ptr<PairLink> make_communicator_link(std::unique_ptr<Communicator> communicator,
                                                 std::size_t message_bytes) {
  return std::make_unique<CommunicatorLink>(std::move(communicator), message_bytes);
}

std::unique_ptr<PairLink> make_mpi_link(const Everyone& everyone, std::size_t message_bytes) {
  return std::make_unique<MpiLink>(everyone.handle(), message_bytes);
}

std::vector<std::unique_ptr<PairLink>> make_links(const MpiRuntime& runtime, const Site& site,
                                                  const std::vector<std::string>& backends,
                                                  std::size_t message_bytes) {
  std::vector<std::unique_ptr<PairLink>> links;
  const auto add_ucx = [&] {
    for (auto& link : make_ucx_links(runtime, message_bytes)) links.push_back(std::move(link));
  };
  if (std::find(backends.begin(), backends.end(), "all") == backends.end()) {
    for (const std::string& backend : backends) {
      if (backend == "ucx" && !site.device) {
        add_ucx();
      } else {
        links.push_back(make_link(site, backend, message_bytes));
      }
    }
    return links;
  }
  if (site.device) {
    links.push_back(make_link(site, "auto", message_bytes));
    return links;
  }
  for (const char* backend : {"shm", "mpi", "openmpi"}) {
    auto link = where_possible(site.everyone, [&] { return make_link(site, backend, message_bytes); });
    if (link) links.push_back(std::move(link));
  }
  if (UcxLinks::built_in()) add_ucx();
  return links;
}

}  // namespace trireme::comm::bench
