#include "comm/mpi/transport.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <mpi.h>

namespace trireme::comm {
namespace {

constexpr std::array<std::string_view, 3> frameworks = {"pml", "btl", "mtl"};
/// More than any header that goes in front of a message.
constexpr std::size_t header_room = 1024;

/// MPI's tool interface, which counts how often it is opened.
class ToolInterface {
 public:
  ToolInterface() : open_(MPI_T_init_thread(MPI_THREAD_SINGLE, &level_) == MPI_SUCCESS) {}
  ~ToolInterface() {
    if (open_) MPI_T_finalize();
  }
  ToolInterface(const ToolInterface&) = delete;
  ToolInterface& operator=(const ToolInterface&) = delete;
  explicit operator bool() const { return open_; }

 private:
  int level_ = 0;
  bool open_;
};

bool is_opened(const std::vector<std::string>& opened, std::string_view name) {
  return std::find(opened.begin(), opened.end(), name) != opened.end();
}

/// A variable of one unsigned number, as Open MPI's limits in bytes are.
std::optional<std::size_t> control_variable(const char* name) {
  const ToolInterface tools;
  int index = 0, count = 0;
  if (!tools || MPI_T_cvar_get_index(name, &index) != MPI_SUCCESS) return {};
  MPI_T_cvar_handle handle{};
  if (MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) != MPI_SUCCESS) return {};
  std::array<unsigned char, 64> value{};
  std::optional<std::size_t> found;
  if (count == 1 && MPI_T_cvar_read(handle, value.data()) == MPI_SUCCESS) {
    std::size_t number = 0;
    std::copy_n(value.begin(), sizeof number, reinterpret_cast<unsigned char*>(&number));
    found = number;
  }
  MPI_T_cvar_handle_free(&handle);
  return found;
}

}  // namespace

std::string transport_name(std::string_view component) {
  for (const std::string_view framework : frameworks) {
    if (!component.starts_with(framework) || component.size() <= framework.size() + 1 ||
        component[framework.size()] != '_')
      continue;
    const std::string_view name = component.substr(framework.size() + 1);
    if (name == "base" || name.find('_') != std::string_view::npos) return {};
    return fmt::format("{} {}", framework, name);
  }
  return {};
}

std::string transport_of_category(std::string_view category) {
  for (const std::string_view prefix : {"opal_", "ompi_"})
    if (category.starts_with(prefix)) return transport_name(category.substr(prefix.size()));
  return {};
}

std::vector<std::string> leave_out_idle(const std::vector<std::string>& opened) {
  const bool ob1 = is_opened(opened, "pml ob1"), ucx = is_opened(opened, "pml ucx");
  const bool no_mtl = ob1 || ucx, no_btl = is_opened(opened, "pml cm") || ucx;
  std::vector<std::string> used;
  std::copy_if(opened.begin(), opened.end(), std::back_inserter(used), [&](const std::string& name) {
    return !(no_mtl && name.starts_with("mtl ")) && !(no_btl && name.starts_with("btl "));
  });
  return used;
}

bool reaches_nodes_by_tcp_alone(const std::vector<std::string>& in_use) {
  constexpr std::array<std::string_view, 5> others_allowed = {"pml ob1", "btl tcp", "btl self", "btl vader",
                                                              "btl sm"};
  return is_opened(in_use, "pml ob1") && is_opened(in_use, "btl tcp") &&
         std::all_of(in_use.begin(), in_use.end(), [&](const std::string& name) {
           return std::find(others_allowed.begin(), others_allowed.end(), name) != others_allowed.end();
         });
}

std::vector<std::string> transports_in_use() {
  const ToolInterface tools;
  if (!tools) return {};
  std::set<std::string> opened;
  int count = 0;
  MPI_T_category_get_num(&count);
  for (int category = 0; category < count; ++category) {
    std::array<char, 256> name{}, text{};
    int name_length = static_cast<int>(name.size()), text_length = static_cast<int>(text.size());
    int variables = 0, counters = 0, children = 0;
    if (MPI_T_category_get_info(category, name.data(), &name_length, text.data(), &text_length, &variables,
                                &counters, &children) != MPI_SUCCESS)
      continue;
    if (std::string transport = transport_of_category(name.data()); !transport.empty())
      opened.insert(std::move(transport));
  }
  return leave_out_idle({opened.begin(), opened.end()});
}

std::optional<std::size_t> longest_unasked_over_tcp() {
  // What MPI goes over stays what it is, and to open its tool interface loads all its components anew.
  static const std::optional<std::size_t> found = []() -> std::optional<std::size_t> {
    const ToolInterface open_throughout;
    if (!reaches_nodes_by_tcp_alone(transports_in_use())) return {};
    const std::optional<std::size_t> limit = control_variable("btl_tcp_eager_limit");
    if (!limit || *limit <= header_room) return {};
    return *limit - header_room;
  }();
  return found;
}

}  // namespace trireme::comm
