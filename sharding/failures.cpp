#include "sharding/failures.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

/// What ranks tell each other: an exit code (0: no failure) and a message, cut where it is too long.
struct Notice {
  std::int32_t code = 0;
  std::array<char, 508> message{};
};

Notice notice_of(const std::exception_ptr& failure) {
  Notice notice;
  if (!failure) return notice;
  std::string message;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    notice.code = static_cast<std::int32_t>(error.code());
    message = error.what();
  } catch (const c10::OutOfMemoryError& error) {
    notice.code = static_cast<std::int32_t>(ExitCode::configuration);
    message = fmt::format(
        "the device is out of memory; a smaller micro_batch_size, gradient_checkpointing or another "
        "placement takes less (`trireme plan` says what fits): {}",
        error.what_without_backtrace());
  } catch (const c10::Error& error) {
    notice.code = static_cast<std::int32_t>(ExitCode::internal);
    message = error.what_without_backtrace();
  } catch (const std::exception& error) {
    notice.code = static_cast<std::int32_t>(ExitCode::internal);
    message = error.what();
  }
  std::copy_n(message.begin(), std::min(message.size(), notice.message.size() - 1), notice.message.begin());
  return notice;
}

}  // namespace

void throw_first_failure(comm::Communicator& communicator, const std::exception_ptr& mine) {
  const Notice notice = notice_of(mine);
  std::vector<Notice> all(static_cast<std::size_t>(communicator.size()));
  communicator.all_gather(&notice, all.data(), comm::Shards::even(sizeof(Notice), communicator.size()),
                          DType::u8);
  const auto first = std::find_if(all.begin(), all.end(), [](const Notice& each) { return each.code != 0; });
  require(first != all.end(), "a rank failed but none says why");
  fail(static_cast<ExitCode>(first->code), "rank {}: {}",
       communicator.group().ranks[static_cast<std::size_t>(first - all.begin())], first->message.data());
}

}  // namespace trireme::sharding
