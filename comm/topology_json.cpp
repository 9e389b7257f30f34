#include <boost/describe.hpp>
#include <boost/json.hpp>

#include "comm/topology.h"
#include "comm/topology_survey.h"
#include "core/error.h"

namespace trireme::comm {

BOOST_DESCRIBE_STRUCT(Gpu, (), (id, name, uuid, numa))
BOOST_DESCRIBE_STRUCT(NetworkInterface, (), (name, address, gigabits, infiniband, numa))
BOOST_DESCRIBE_STRUCT(NumaNode, (), (id, cores, distances))
BOOST_DESCRIBE_STRUCT(Node, (), (hostname, boot_id, numa, gpus, interfaces, ranks))
BOOST_DESCRIBE_STRUCT(Place, (), (node, local_rank, cores, numa, visible_gpus, gpu))
BOOST_DESCRIBE_STRUCT(Topology, (), (nodes, ranks))
BOOST_DESCRIBE_STRUCT(RankReport, (),
                      (hostname, boot_id, shared_memory_leader, cores, numa, numa_nodes, gpus, interfaces,
                       problem, problem_code))

std::string to_json(const Topology& topology) {
  return boost::json::serialize(boost::json::value_from(topology));
}

Topology topology_from_json(std::string_view text) {
  boost::system::error_code problem;
  const boost::json::value parsed = boost::json::parse({text.data(), text.size()}, problem);
  if (problem) fail(ExitCode::configuration, "the topology is not JSON: {}", problem.message());
  const auto topology = boost::json::try_value_to<Topology>(parsed);
  if (!topology)
    fail(ExitCode::configuration, "the topology's JSON has a missing or malformed field: {}",
         topology.error().message());
  check_consistent(*topology);
  return *topology;
}

std::string to_json(const RankReport& report) {
  return boost::json::serialize(boost::json::value_from(report));
}

RankReport report_from_json(std::string_view text) {
  return boost::json::value_to<RankReport>(boost::json::parse({text.data(), text.size()}));
}

}  // namespace trireme::comm
