#include "comm/network_settings.h"

#include <gmock/gmock.h>

namespace trireme::comm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

NetworkInterface link(const char* name, double gigabits) {
  return {name, "10.0.0.1", gigabits, false, -1};
}
NetworkInterface port(const char* name, double gigabits) {
  return {name, "", gigabits, true, -1};
}

TEST(NetworkSettings, NothingToChooseIsLeftAlone) {
  EXPECT_THAT(network_settings({}), IsEmpty());
  EXPECT_THAT(network_settings({link("eth0", 10)}), IsEmpty());
  EXPECT_THAT(network_settings({link("eth0", 0), link("eth1", 0)}), IsEmpty());
  EXPECT_THAT(network_settings({port("mlx5_0:1", 200), port("mlx5_1:1", 200)}), IsEmpty());
  EXPECT_THAT(network_settings({link("docker0", 0)}), IsEmpty());
}

TEST(NetworkSettings, TheFastestLinksWithoutBridgesOfContainers) {
  EXPECT_THAT(network_settings({link("docker0", 0), link("eno1", 1), link("ens3", 100), link("ens4", 100)}),
              ElementsAre(Pair("OMPI_MCA_btl_tcp_if_include", "ens3,ens4"),
                          Pair("OMPI_MCA_oob_tcp_if_include", "ens3,ens4"),
                          Pair("NCCL_SOCKET_IFNAME", "=ens3,ens4")));
  EXPECT_THAT(network_settings({link("virbr0", 0), link("eth0", 0)}),
              ElementsAre(Pair("OMPI_MCA_btl_tcp_if_include", "eth0"),
                          Pair("OMPI_MCA_oob_tcp_if_include", "eth0"), Pair("NCCL_SOCKET_IFNAME", "=eth0")));
}

TEST(NetworkSettings, TheFastestPortsWhereOthersAreSlower) {
  EXPECT_THAT(
      network_settings({port("mlx5_0:1", 400), port("mlx5_1:1", 400), port("mlx5_bond:1", 25)}),
      ElementsAre(Pair("NCCL_IB_HCA", "=mlx5_0:1,mlx5_1:1"), Pair("UCX_NET_DEVICES", "mlx5_0:1,mlx5_1:1")));
}

}  // namespace
}  // namespace trireme::comm
