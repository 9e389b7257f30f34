#include "jobs/imports/mapped.h"

#include <fmt/format.h>

namespace trireme::jobs {

std::string sentence_of(const Mapped& mapped) {
  if (mapped.what.empty()) return fmt::format("{}: {}", mapped.key, mapped.note);
  if (mapped.note.empty()) return fmt::format("{}: taken as {}", mapped.key, mapped.what);
  return fmt::format("{}: taken as {} ({})", mapped.key, mapped.what, mapped.note);
}

void Import::append(const Import& more) {
  settings.insert(settings.end(), more.settings.begin(), more.settings.end());
  mapped.insert(mapped.end(), more.mapped.begin(), more.mapped.end());
}

}  // namespace trireme::jobs
