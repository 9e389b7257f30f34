#include "comm/mpi/transport.h"

#include <gmock/gmock.h>

namespace trireme::comm {
namespace {

using testing::ElementsAre;

TEST(Transport, IsNamedAsOpenMpiNamesItsParts) {
  EXPECT_EQ(transport_of_category("opal_btl_tcp"), "btl tcp");
  EXPECT_EQ(transport_of_category("opal_btl_base"), "");
  EXPECT_EQ(transport_of_category("ompi_pml"), "");
}

TEST(Transport, LeavesOutWhatTheMessagingLayerDoesNotUse) {
  EXPECT_THAT(leave_out_idle({"btl self", "btl tcp", "mtl ofi", "pml ob1"}),
              ElementsAre("btl self", "btl tcp", "pml ob1"));
  EXPECT_THAT(leave_out_idle({"btl self", "mtl ofi", "pml cm"}), ElementsAre("mtl ofi", "pml cm"));
  EXPECT_THAT(leave_out_idle({"btl self", "btl tcp", "mtl ofi", "pml ucx"}), ElementsAre("pml ucx"));
  EXPECT_THAT(leave_out_idle({"btl self", "mtl ofi"}), ElementsAre("btl self", "mtl ofi"));
}

TEST(Transport, IsTcpAloneWhereNothingElseReachesNodes) {
  EXPECT_TRUE(reaches_nodes_by_tcp_alone({"btl self", "btl tcp", "btl vader", "pml ob1"}));
  EXPECT_TRUE(reaches_nodes_by_tcp_alone({"btl self", "btl sm", "btl tcp", "pml ob1"}));
  EXPECT_FALSE(reaches_nodes_by_tcp_alone({"btl openib", "btl self", "btl tcp", "pml ob1"}));
  EXPECT_FALSE(reaches_nodes_by_tcp_alone({"btl self", "btl vader", "pml ob1"}));
  EXPECT_FALSE(reaches_nodes_by_tcp_alone({"pml ucx"}));
  EXPECT_FALSE(reaches_nodes_by_tcp_alone({}));
}

}  // namespace
}  // namespace trireme::comm
