#include "comm/mpi/mpi_sharing.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <numeric>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "comm/mpi/runtime.h"
#include "core/bytes.h"
#include "core/descriptor.h"
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

constexpr std::size_t page = 4096;

std::size_t free_shared_memory() {
  struct statvfs state {};
  if (statvfs("/dev/shm", &state) != 0) return SIZE_MAX;
  return static_cast<std::size_t>(state.f_bavail) * state.f_frsize;
}

void refuse_if(bool too_large, std::size_t bytes, std::size_t free) {
  if (too_large)
    fail(ExitCode::configuration,
         "the ranks of this node want to share {} but /dev/shm has only {} left; make it larger (mount -o "
         "remount,size=…, or --shm-size of the container)",
         human_bytes(static_cast<double>(bytes)), human_bytes(static_cast<double>(free)));
}

/// Zeroes memory of a file system that may be full. The first touch of a page that cannot be had is a bus
/// error; the kernel, asked to write there for us, says so instead.
bool zero(std::byte* data, std::size_t bytes) {
  const Descriptor zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  if (!zeros) return std::memset(data, 0, bytes) != nullptr;
  while (bytes > 0) {
    const ssize_t got = ::read(zeros.get(), data, std::min(bytes, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    data += got, bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

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
  const std::size_t all = std::accumulate(sizes.begin(), sizes.end(), sizes.size() * page);
  // Before any rank takes some of it: all see the same, and decide the same by the least.
  std::uint64_t free = SIZE_MAX;
  for (const std::uint64_t seen : exchange(free_shared_memory())) free = std::min(free, seen);
  refuse_if(all > free, all, free);

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
  const auto held = exchange(zero(next_page(mine), my_bytes) ? 1 : 0);
  refuse_if(std::find(held.begin(), held.end(), 0u) != held.end(), all, free_shared_memory());
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
