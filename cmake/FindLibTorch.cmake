# Finds LibTorch's CPU library alone, in the PyPI wheel or in any installed LibTorch, and makes the target LibTorch::cpu.
# Looks in LIBTORCH_ROOT (the folder that holds include/ and lib/), then where `./run` puts the wheel, then the usual prefixes.
set(_trireme_cache $ENV{TRIREME_CACHE})
if(NOT _trireme_cache)
  set(_trireme_cache $ENV{HOME}/.cache/trireme)
endif()
find_path(LibTorch_INCLUDE_DIR ATen/ATen.h
  HINTS ${LIBTORCH_ROOT} $ENV{LIBTORCH_ROOT} ${_trireme_cache}/site/torch PATH_SUFFIXES include)
get_filename_component(LibTorch_ROOT_DIR "${LibTorch_INCLUDE_DIR}" DIRECTORY)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${LibTorch_ROOT_DIR} PATH_SUFFIXES lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${LibTorch_ROOT_DIR} PATH_SUFFIXES lib)

foreach(_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(LibTorch_INCLUDE_DIR AND NOT LibTorch_VERSION AND EXISTS ${LibTorch_INCLUDE_DIR}/${_header})
    file(STRINGS ${LibTorch_INCLUDE_DIR}/${_header} _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX REPLACE "[^;]*MAJOR ([0-9]+);[^;]*MINOR ([0-9]+);[^;]*PATCH ([0-9]+)" "\\1.\\2.\\3" LibTorch_VERSION "${_lines}")
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "`./run build` fetches it, or set LIBTORCH_ROOT to an installed LibTorch")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::c10 UNKNOWN IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${LibTorch_C10_LIBRARY})
  add_library(LibTorch::cpu UNKNOWN IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION ${LibTorch_CPU_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES LibTorch::c10)
  # ATen's parallel loops are inline: where the compiler that includes them has no OpenMP, they run on one thread. The library is
  # LibTorch's own, so that both share one pool of threads.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    file(GLOB _trireme_openmp ${LibTorch_ROOT_DIR}/lib/libgomp*.so*)
    if(NOT _trireme_openmp)
      set(_trireme_openmp gomp)
    endif()
    set_property(TARGET LibTorch::cpu PROPERTY INTERFACE_COMPILE_OPTIONS $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
    set_property(TARGET LibTorch::cpu APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${_trireme_openmp})
  endif()
  # The wheel's include/ holds a newer {fmt} than the system's library. Compiled into each file as headers alone it would double the time
  # that a file takes, so a folder with nothing but the system's {fmt} is searched before.
  find_path(LibTorch_FMT_INCLUDE_DIR fmt/core.h PATHS /usr/local/include /usr/include NO_DEFAULT_PATH)
  find_path(LibTorch_FMT_INCLUDE_DIR fmt/core.h REQUIRED)
  set(_trireme_fmt_first ${CMAKE_BINARY_DIR}/headers_before_libtorch)
  file(MAKE_DIRECTORY ${_trireme_fmt_first})
  file(CREATE_LINK ${LibTorch_FMT_INCLUDE_DIR}/fmt ${_trireme_fmt_first}/fmt SYMBOLIC)
  set_property(TARGET LibTorch::cpu PROPERTY INTERFACE_INCLUDE_DIRECTORIES
    "${_trireme_fmt_first};${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  set_property(TARGET LibTorch::cpu APPEND PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${_trireme_fmt_first})

  # std::string in a mangled name fails to link when the library was built with the old ABI.
  include(CheckCXXSourceCompiles)
  include(CMakePushCheckState)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_INCLUDES ${LibTorch_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${LibTorch_C10_LIBRARY})
  set(CMAKE_REQUIRED_FLAGS "-std=c++20")
  check_cxx_source_compiles("#include <c10/util/Exception.h>\nint main() { return c10::Error(c10::SourceLocation{}, std::string(\"x\")).what()[0] == 0; }"
    LibTorch_CXX11_ABI)
  cmake_pop_check_state()
  if(NOT LibTorch_CXX11_ABI)
    message(FATAL_ERROR "LibTorch at ${LibTorch_ROOT_DIR} does not link with this compiler's std::string: it was built with the "
                        "pre-CXX11 ABI or is incomplete. Use the PyPI wheel torch==2.11.0 (`./run build` fetches it).")
  endif()
endif()
