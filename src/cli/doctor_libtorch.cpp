#include <ATen/Version.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include "cli/doctor_report.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

fs::path libtorch_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&at::get_cpu_capability), &info) == 0 || !info.dli_fname)
    return {};
  std::error_code problem;
  const fs::path file = fs::canonical(info.dli_fname, problem);
  return problem ? fs::path{} : file.parent_path();
}

}  // namespace

comm::doctor::Finding check_libtorch() {
  return comm::doctor::ok("LibTorch", fmt::format("{}, computes with {} ({})", TORCH_VERSION,
                                                  at::get_cpu_capability(), libtorch_folder().string()));
}

std::vector<fs::path> libraries_beside_libtorch() {
  const fs::path libtorch = libtorch_folder();
  const fs::path wheels = libtorch.parent_path().parent_path() / "nvidia";
  return {libtorch, wheels / "nccl/lib", wheels / "cufile/lib", wheels / "cu13/lib"};
}

}  // namespace trireme::cli
