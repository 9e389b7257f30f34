#include "comm/topology_hwloc.h"

#include <memory>

#include <hwloc.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

struct Destroy {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
  void operator()(hwloc_bitmap_s* bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Machine = std::unique_ptr<hwloc_topology, Destroy>;
using Bitmap = std::unique_ptr<hwloc_bitmap_s, Destroy>;

Machine load_machine() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) fail(ExitCode::configuration, "hwloc cannot start on this machine");
  Machine machine(raw);
  // Ranks with different cpusets must number the same machine.
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (hwloc_topology_load(raw) != 0)
    fail(ExitCode::configuration, "hwloc cannot read this machine's cores from /sys");
  return machine;
}

template <typename Action>
void for_each(hwloc_topology_t machine, hwloc_obj_type_t type, Action action) {
  for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_obj_by_type(machine, type, object)) != nullptr;)
    action(*object);
}

}  // namespace

BoundCores find_bound_cores() {
  const Machine machine = load_machine();
  const Bitmap bound(hwloc_bitmap_alloc());
  if (hwloc_get_cpubind(machine.get(), bound.get(), HWLOC_CPUBIND_PROCESS) != 0)
    hwloc_bitmap_copy(bound.get(), hwloc_topology_get_allowed_cpuset(machine.get()));

  BoundCores found;
  const hwloc_obj_type_t core =
      hwloc_get_nbobjs_by_type(machine.get(), HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  for_each(machine.get(), core, [&](const hwloc_obj& object) {
    if (hwloc_bitmap_intersects(object.cpuset, bound.get()))
      found.cores.push_back(hwloc_bitmap_first(object.cpuset));
  });
  for_each(machine.get(), HWLOC_OBJ_NUMANODE, [&](const hwloc_obj& object) {
    const int id = static_cast<int>(object.os_index);
    found.numa_nodes.push_back(
        {id, hwloc_get_nbobjs_inside_cpuset_by_type(machine.get(), object.cpuset, core), {}});
    if (hwloc_bitmap_intersects(object.cpuset, bound.get())) found.numa.push_back(id);
  });
  return found;
}

}  // namespace trireme::comm
