#include "tools/bench/link_peer.hpp"

#include "actors/env/process.hpp"
#include "tools/bench/link_end.hpp"
#include "tools/bench/peer_process.hpp"
#include "tools/bench/touch.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools::bench {
namespace {

exit_code serve(const link_setup& setup) {
  auto network = make_network(setup, link_side::receiver,
                              [](const std::string& line) { std::cerr << line + '\n'; });
  if (!network) return report_failure("bench", network.failure());
  auto& links = **network;
  const auto acknowledgement = pushed_frame();
  const auto self = identity_of(link_side::receiver);
  const auto acknowledge = [&, next = std::uint64_t{0}](const mesh::frame_ptr& f) mutable {
    if (setup.touch) touch_all(f->body.bytes);
    auto ack = std::make_shared<mesh::frame>(acknowledgement);
    ack->header.from = self;
    ack->header.message_id = ++next;
    ack->header.in_reply_to = f->header.message_id;
    // The sender notices what does not come.
    (void)links.send(f->header.from.uuid, std::move(ack));
  };
  const auto started =
      links.start({.on_frame = acknowledge,
                   .on_peer_up = [](const env::peer&) {},
                   .on_peer_down = [](const env::peer&, const error&) {},
                   .on_refused = [](const mesh::frame_ptr&, const error&) {},
                   .on_connect_failed = [](const config::endpoint&, const error&) {}});
  if (!started) return report_failure("bench", started.failure());
  const auto at = links.listen({"127.0.0.1", 0});
  if (!at) return report_failure("bench", at.failure());
  say({{"endpoint", config::to_string(*at)}});
  for (std::string line; std::getline(std::cin, line);)
    say({{"cpu_seconds", env::current_usage().cpu_seconds}});
  links.stop(std::chrono::milliseconds(0));
  return exit_ok;
}

} // namespace

exit_code link_peer(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh bench link-peer",
                       .description = "Internal: the receiving process of `gradmesh bench link`.",
                       .positional = {}};
  options.named.add_options()("lane", po::value<std::string>()->required(), "")(
      "bytes-max", po::value<std::uint64_t>()->required(), "")("touch", po::bool_switch(), "")(
      "ca", po::value<std::string>(), "")("certificate", po::value<std::string>(),
                                          "")("key", po::value<std::string>(), "");
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    const auto lane = parse_lane(values["lane"].as<std::string>());
    if (!lane) return exit_usage;
    link_setup setup{
        *lane, values["bytes-max"].as<std::uint64_t>(), {}, values["touch"].as<bool>()};
    if (values.count("ca") > 0)
      setup.tls = {values["ca"].as<std::string>(), values["certificate"].as<std::string>(),
                   values["key"].as<std::string>()};
    return serve(setup);
  });
}

} // namespace gradmesh::tools::bench
