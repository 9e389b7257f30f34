#pragma once
#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "io/template/value.h"

namespace trireme::io {

/// A template in the part of Jinja that published chat templates use, with the meaning that transformers
/// gives it. It is a stranger's program: its work, its text and its depth are bounded. Unchanging once made,
/// so threads share it.
class Template {
 public:
  /// Throws an Error (configuration) that names `where` and the line.
  Template(std::string_view source, std::string where);
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  /// strftime_now() tells `now`. Throws an Error (damaged) with the line, also where the template itself
  /// refuses what it is given.
  std::string render(const jinja::Value& context, std::chrono::sys_seconds now) const;

 private:
  struct Parsed;
  std::unique_ptr<const Parsed> parsed_;
  std::string where_;
};

}  // namespace trireme::io
