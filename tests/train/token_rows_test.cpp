#include "train/token_rows.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;

TEST(TokenRows, RefusesTokensThatTheModelDoesNotKnow) {
  const auto tokens = std::filesystem::path(TRIREME_GOLDEN) / "reference" / "tokens.npy";
  std::vector<std::int64_t> row(64), labels(64), positions(64);
  const RowPlace place{row, labels, positions};
  const TokenRows all(tokens, 64, 1 << 20);
  all.read(0, place);
  const auto most = std::max_element(row.begin(), row.end());

  EXPECT_NO_THROW(TokenRows(tokens, 64, *most + 1).read(0, place));
  const std::string where = "token " + std::to_string(most - row.begin()) + " of row 0 is ";
  const std::string what =
      std::to_string(*most) + ", but the model knows " + std::to_string(*most) + " tokens";
  EXPECT_THAT([&] { TokenRows(tokens, 64, *most).read(0, place); },
              ::testing::Throws<Error>(
                  AllOf(Property(&Error::code, ExitCode::damaged),
                        Property(&Error::what, AllOf(HasSubstr(tokens.string()), HasSubstr(where + what))))));
}

}  // namespace
}  // namespace trireme::train
