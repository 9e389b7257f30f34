#include "slurm/nodes.h"

#include <gtest/gtest.h>

namespace trireme::slurm {
namespace {

TEST(NodeFacts, AreTheLeastOfThePartition) {
  const std::string output =
      "cpu*|64000|(null)\ncpu*|32000+|(null)\ngpu|512000|gpu:h100:8(S:0-1)\ngpu|400000|gpu:h100:8(S:0-1)\n"
      "mixed|100|gpu:a100:4\nmixed|100|gpu:v100:4\nplain|100|gpu:4\n";
  EXPECT_EQ(node_facts_from(output, "")->memory_megabytes, 32000);
  EXPECT_EQ(node_facts_from(output, "")->gpu, "");
  EXPECT_EQ(node_facts_from(output, "gpu")->memory_megabytes, 400000);
  EXPECT_EQ(node_facts_from(output, "gpu")->gpu, "h100");
  EXPECT_EQ(node_facts_from(output, "mixed")->gpu, "");
  EXPECT_EQ(node_facts_from(output, "plain")->gpu, "");
  EXPECT_FALSE(node_facts_from(output, "absent"));
  EXPECT_FALSE(node_facts_from("", ""));
}

TEST(NodeFacts, MemoryAsSbatchReadsIt) {
  EXPECT_EQ(bytes_of_memory("64G"), 64.0 * (1 << 30));
  EXPECT_EQ(bytes_of_memory("512"), 512.0 * (1 << 20));
  EXPECT_EQ(bytes_of_memory("2T"), 2048.0 * (1 << 30));
  EXPECT_FALSE(bytes_of_memory("lots"));
  EXPECT_FALSE(bytes_of_memory("64GB"));
  EXPECT_FALSE(bytes_of_memory("-1G"));
}

}  // namespace
}  // namespace trireme::slurm
