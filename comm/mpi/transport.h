#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::comm {

/// "pml_ucx" → "pml ucx", for the frameworks that move messages; empty for others.
std::string transport_name(std::string_view component);
/// A variable category of MPI_T, "opal_btl_tcp" → "btl tcp"; empty for others.
std::string transport_of_category(std::string_view category);
/// Open MPI also opens components that the chosen messaging layer (pml) does not use: ob1 uses btl, cm uses
/// mtl, ucx neither.
std::vector<std::string> leave_out_idle(const std::vector<std::string>& opened);
/// Whether what goes to other nodes can go over nothing but TCP.
bool reaches_nodes_by_tcp_alone(const std::vector<std::string>& in_use);

/// What this process's MPI opened and uses. MPI must be initialised.
std::vector<std::string> transports_in_use();
/// The longest message to another node that Open MPI sends over TCP without asking the receiver first;
/// nothing where anything else may carry it. MPI must be initialised.
std::optional<std::size_t> longest_unasked_over_tcp();

}  // namespace trireme::comm
