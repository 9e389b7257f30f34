#include "comm/mpi/mpi_sharing.h"

#include <cstring>
#include <exception>
#include <numeric>

#include <sys/mman.h>
#include <sys/statvfs.h>

#include "comm/mpi/runtime.h"
#include "core/bytes.h"
#include "core/error.h"

namespace trireme::comm {

/// Outlives the windows that were made over it.
struct MpiSharing::Node {
  MPI_Comm communicator = MPI_COMM_NULL;
  int rank = 0, size = 1;

  Node() {
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &communicator),
              "MPI_Comm_split_type");
    MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN);
    MPI_Comm_rank(communicator, &rank);
    MPI_Comm_size(communicator, &size);
  }
  ~Node() {
    if (std::uncaught_exceptions() == 0) MPI_Comm_free(&communicator);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

namespace {

/// An MPI library finds out too late that the memory file system is full: by a bus error at the first touch.
void refuse_what_does_not_fit(std::size_t bytes) {
  struct statvfs state {};
  if (statvfs("/dev/shm", &state) != 0) return;
  const std::size_t free = static_cast<std::size_t>(state.f_bavail) * state.f_frsize;
  if (bytes > free)
    fail(ExitCode::configuration,
         "the ranks of this node want to share {} but /dev/shm has only {} left; make it larger (mount -o "
         "remount,size=…, "
         "or --shm-size of the container)",
         human_bytes(static_cast<double>(bytes)), human_bytes(static_cast<double>(free)));
}

constexpr std::size_t page = 4096;

/// MPI promises no alignment. Every process maps the window at a page, so they all step to the same byte.
std::byte* next_page(void* base) {
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(base) % page;
  return static_cast<std::byte*>(base) + (beyond == 0 ? 0 : page - beyond);
}

struct Window {
  std::shared_ptr<void> node;
  MPI_Win handle = MPI_WIN_NULL;

  explicit Window(std::shared_ptr<void> over) : node(std::move(over)) {}
  ~Window() {
    if (handle != MPI_WIN_NULL && std::uncaught_exceptions() == 0) MPI_Win_free(&handle);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
};

}  // namespace

MpiSharing::MpiSharing() : node_(std::make_shared<Node>()) {}
MpiSharing::~MpiSharing() = default;

int MpiSharing::rank() const {
  return node_->rank;
}
int MpiSharing::size() const {
  return node_->size;
}

SharedSegment MpiSharing::create_private(std::size_t bytes) const {
  if (bytes == 0) bytes = 1;
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    fail(ExitCode::configuration, "no host memory for {}", human_bytes(static_cast<double>(bytes)));
  madvise(data, bytes, MADV_HUGEPAGE);
  SharedSegment segment;
  segment.parts = {static_cast<std::byte*>(data)};
  segment.bytes = {bytes};
  segment.owner = std::shared_ptr<void>(data, [bytes](void* mapped) { munmap(mapped, bytes); });
  return segment;
}

SharedSegment MpiSharing::create(std::size_t my_bytes) {
  if (size() == 1) return create_private(my_bytes);
  const auto sizes = exchange(my_bytes);
  const std::size_t with_page = my_bytes + page;
  refuse_what_does_not_fit(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));

  MPI_Info apart = MPI_INFO_NULL;
  check_mpi(MPI_Info_create(&apart), "MPI_Info_create");
  MPI_Info_set(apart, "alloc_shared_noncontig", "true");
  auto window = std::make_shared<Window>(node_);
  void* mine = nullptr;
  const int made = MPI_Win_allocate_shared(static_cast<MPI_Aint>(with_page), 1, apart, node_->communicator,
                                           static_cast<void*>(&mine), &window->handle);
  MPI_Info_free(&apart);
  check_mpi(made, "MPI_Win_allocate_shared");
  SharedSegment segment;
  for (int other = 0; other < size(); ++other) {
    MPI_Aint bytes = 0;
    int unit = 0;
    void* base = nullptr;
    check_mpi(MPI_Win_shared_query(window->handle, other, &bytes, &unit, static_cast<void*>(&base)),
              "MPI_Win_shared_query");
    segment.parts.push_back(next_page(base));
    segment.bytes.push_back(sizes[static_cast<std::size_t>(other)]);
  }
  std::memset(next_page(mine), 0, my_bytes);
  check_mpi(MPI_Barrier(node_->communicator), "MPI_Barrier");
  segment.owner = std::move(window);
  return segment;
}

std::vector<std::uint64_t> MpiSharing::exchange(std::uint64_t mine) {
  std::vector<std::uint64_t> words(static_cast<std::size_t>(size()));
  check_mpi(MPI_Allgather(&mine, 1, MPI_UINT64_T, words.data(), 1, MPI_UINT64_T, node_->communicator),
            "MPI_Allgather");
  return words;
}

}  // namespace trireme::comm
