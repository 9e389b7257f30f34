#include <cstring>

#include <fmt/format.h>

#include "tests/nccl_double/host_comm.h"
#include "tests/nccl_double/host_types.h"
#include "tests/nccl_double/wire.h"

namespace trireme::tests {
namespace {

enum Tag { call_tag, data_tag, sender_tag, receiver_tag, peer_tag };

/// What all ranks of a collective, or both sides of a send, must agree on.
struct Header {
  HostOp::Kind kind{};
  ncclDataType_t type{};
  ncclRedOp_t reduction{};
  int peer = 0;
  std::size_t count = 0;
  bool operator==(const Header&) const = default;
};

Header header_of(const HostOp& op) {
  return {op.kind, op.type, op.reduction, op.peer, op.count};
}

class Carrier {
 public:
  explicit Carrier(HostComm& comm) : comm_(comm) {}

  ncclResult_t collective(const HostOp& op) {
    if (const ncclResult_t met = agree(op); met != ncclSuccess) return met;
    const std::size_t bytes = op.count * size_of(op.type);
    std::vector<std::byte> rows;
    ncclResult_t moved = ncclInternalError;
    switch (op.kind) {
      case HostOp::Kind::all_gather:
        return gather(op.in, bytes, op.out, data_tag);
      case HostOp::Kind::broadcast:
        return broadcast(op, bytes);
      case HostOp::Kind::all_reduce:
        rows.resize(bytes * ranks());
        moved = gather(op.in, bytes, rows.data(), data_tag);
        break;
      case HostOp::Kind::reduce_scatter:
        rows.resize(bytes * ranks());
        moved = scatter(op.in, bytes, rows.data());
        break;
      case HostOp::Kind::reduce:
        if (comm_.rank() != op.peer) return send_to(op.peer, op.in, bytes);
        rows.resize(bytes * ranks());
        moved = collect(op.in, bytes, rows.data());
        break;
      default:
        break;
    }
    if (moved == ncclSuccess) reduce_rows(rows.data(), comm_.size(), op.count, op.type, op.reduction, op.out);
    return moved;
  }

  /// Sends and receives of one group go on together. Data moves once both sides of a pair are there and
  /// agree, so that nothing is left on the wire when a rank gives up.
  ncclResult_t peers(const std::vector<HostOp>& ops) {
    std::vector<Header> mine, theirs(ops.size());
    for (const HostOp& op : ops) mine.push_back(header_of(op));
    begin();
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const bool sends = ops[i].kind == HostOp::Kind::send;
      put(ops[i].peer, &mine[i], sizeof(Header), sends ? sender_tag : receiver_tag);
      take(ops[i].peer, &theirs[i], sizeof(Header), sends ? receiver_tag : sender_tag);
    }
    if (const auto met = exchange(); met != ncclSuccess) return met;
    for (std::size_t i = 0; i < ops.size(); ++i)
      if (theirs[i].count != ops[i].count || theirs[i].type != ops[i].type) {
        report_misuse(fmt::format("rank {} calls {} but the other side has {} elements of type {}",
                                  comm_.rank(), describe(ops[i]), theirs[i].count,
                                  static_cast<int>(theirs[i].type)));
        return ncclInvalidUsage;
      }
    begin();
    for (const HostOp& op : ops) {
      const std::size_t bytes = op.count * size_of(op.type);
      op.kind == HostOp::Kind::send ? put(op.peer, op.in, bytes, peer_tag)
                                    : take(op.peer, op.out, bytes, peer_tag);
    }
    return exchange();
  }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(comm_.size()); }
  static std::byte* row(void* base, std::size_t bytes, int rank) {
    return static_cast<std::byte*>(base) + bytes * static_cast<std::size_t>(rank);
  }

  void begin() {
    sends_.clear();
    receives_.clear();
  }
  void put(int rank, const void* data, std::size_t bytes, int tag) {
    sends_.push_back({comm_.world_rank(rank), const_cast<void*>(data), bytes, comm_.tag(tag)});
  }
  void take(int rank, void* data, std::size_t bytes, int tag) {
    receives_.push_back({comm_.world_rank(rank), data, bytes, comm_.tag(tag)});
  }
  ncclResult_t exchange() {
    return Wire::exchange(sends_, receives_, comm_.stop()) ? ncclSuccess : ncclRemoteError;
  }
  template <typename Do>
  void for_others(const Do& act) {
    for (int rank = 0; rank < comm_.size(); ++rank)
      if (rank != comm_.rank()) act(rank);
  }

  ncclResult_t agree(const HostOp& op) {
    const Header mine = header_of(op);
    std::vector<Header> all(ranks());
    if (const auto met = gather(&mine, sizeof mine, all.data(), call_tag); met != ncclSuccess) return met;
    for (int rank = 0; rank < comm_.size(); ++rank) {
      const Header& other = all[static_cast<std::size_t>(rank)];
      if (other == mine) continue;
      const HostOp theirs{other.kind, nullptr,         nullptr,    other.count,
                          other.type, other.reduction, other.peer, nullptr};
      report_misuse(fmt::format("rank {} calls {} where rank {} calls {}", comm_.rank(), describe(op), rank,
                                describe(theirs)));
      return ncclInvalidUsage;
    }
    return ncclSuccess;
  }

  ncclResult_t gather(const void* in, std::size_t bytes, void* out, int tag) {
    begin();
    // NCCL allows `in` to be this rank's place in `out`.
    std::memmove(row(out, bytes, comm_.rank()), in, bytes);
    for_others([&](int rank) {
      put(rank, in, bytes, tag);
      take(rank, row(out, bytes, rank), bytes, tag);
    });
    return exchange();
  }

  ncclResult_t scatter(const void* in, std::size_t bytes, void* rows) {
    begin();
    const auto part = [&](int rank) {
      return static_cast<const std::byte*>(in) + bytes * static_cast<std::size_t>(rank);
    };
    std::memcpy(row(rows, bytes, comm_.rank()), part(comm_.rank()), bytes);
    for_others([&](int rank) {
      put(rank, part(rank), bytes, data_tag);
      take(rank, row(rows, bytes, rank), bytes, data_tag);
    });
    return exchange();
  }

  ncclResult_t collect(const void* in, std::size_t bytes, void* rows) {
    begin();
    std::memcpy(row(rows, bytes, comm_.rank()), in, bytes);
    for_others([&](int rank) { take(rank, row(rows, bytes, rank), bytes, data_tag); });
    return exchange();
  }

  ncclResult_t send_to(int rank, const void* in, std::size_t bytes) {
    begin();
    put(rank, in, bytes, data_tag);
    return exchange();
  }

  ncclResult_t broadcast(const HostOp& op, std::size_t bytes) {
    begin();
    if (comm_.rank() == op.peer) {
      for_others([&](int rank) { put(rank, op.in, bytes, data_tag); });
      std::memmove(op.out, op.in, bytes);
    } else {
      take(op.peer, op.out, bytes, data_tag);
    }
    return exchange();
  }

  HostComm& comm_;
  std::vector<Wire::Part> sends_, receives_;
};

}  // namespace

ncclResult_t carry_out(HostComm& comm, const std::vector<HostOp>& ops) {
  Carrier carrier(comm);
  std::vector<HostOp> peers;
  for (const HostOp& op : ops) {
    if (op.kind == HostOp::Kind::send || op.kind == HostOp::Kind::receive) {
      peers.push_back(op);
    } else if (const ncclResult_t result = carrier.collective(op); result != ncclSuccess) {
      return result;
    }
  }
  return peers.empty() ? ncclSuccess : carrier.peers(peers);
}

}  // namespace trireme::tests
