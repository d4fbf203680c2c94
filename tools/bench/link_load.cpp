#include "tools/bench/link_load.hpp"

#include "tools/bench/statistics.hpp"

#include <fstream>
#include <utility>

namespace gradmesh::tools::bench {
namespace {

constexpr std::chrono::seconds patience{20};

error timed_out(const char* what) {
  return {errc::timed_out,
          std::string(what) + " within " + std::to_string(patience.count()) + " s"};
}

/// Whether memory of another process, as lanes make it, is mapped into this one.
bool maps_shared_memory() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("/memfd:gradmesh") != line.npos) return true;
  return false;
}

} // namespace

result<std::unique_ptr<link_load>> link_load::connect(const link_setup& setup,
                                                      const config::endpoint& to) {
  std::unique_ptr<link_load> load(new link_load);
  if (auto started = load->start(setup, to); !started) return started.failure();
  return load;
}

link_load::~link_load() {
  if (network_) network_->stop(std::chrono::milliseconds(0));
}

result<void> link_load::start(const link_setup& setup, const config::endpoint& to) {
  auto made = make_network(setup, link_side::sender, {});
  if (!made) return made.failure();
  network_ = *std::move(made);
  auto up = up_.get_future();
  const auto settle = [this](result<void> outcome) {
    if (!std::exchange(settled_, true)) up_.set_value(std::move(outcome));
  };
  const auto started = network_->start(
      {.on_frame = [this](const mesh::frame_ptr& f) { on_acknowledged(f); },
       .on_peer_up = [settle](const env::peer&) { settle({}); },
       .on_peer_down = [this](const env::peer&, const error& why) { end(why); },
       .on_refused = [this](const mesh::frame_ptr&, const error& why) { end(why); },
       .on_connect_failed = [settle](const config::endpoint&, const error& why) { settle(why); }});
  if (!started) return started.failure();
  network_->connect(to);
  if (up.wait_for(patience) != std::future_status::ready)
    return timed_out("no link to the receiver");
  if (auto outcome = up.get(); !outcome) return outcome.failure();
  // A link does without shared memory where it cannot be had.
  if (setup.lane == link_lane::shm && !maps_shared_memory())
    return {errc::incompatible_peer, "the two processes could not share memory; this link goes "
                                     "through TCP (bench link --lane tcp measures that)"};
  return {};
}

result<series_result> link_load::run(const series_order& order) {
  auto next = std::make_unique<series>();
  next->order = order;
  const auto body = mesh::allocate_body(order.bytes);
  std::ranges::fill(body.bytes, std::byte{1});
  next->body = body.share();
  next->sent.resize(order.window);
  auto outcome = next->done.get_future();
  // std::function wants to be copied.
  auto shared = std::make_shared<std::unique_ptr<series>>(std::move(next));
  if (!network_->post([this, shared] { begin(std::move(*shared)); }))
    return error{errc::node_lost, "the network has ended"};
  const auto limit = patience + std::chrono::ceil<std::chrono::seconds>(order.time);
  if (outcome.wait_for(limit) != std::future_status::ready)
    return timed_out("frames were not acknowledged");
  return outcome.get();
}

void link_load::begin(std::unique_ptr<series> s) {
  now_ = std::move(s);
  now_->began = clock::now();
  for (std::size_t i = 0; i < now_->order.window && now_; ++i)
    send_one();
}

void link_load::send_one() {
  auto& s = *now_;
  auto f = std::make_shared<mesh::frame>(push_);
  f->header.from = identity_of(link_side::sender);
  f->header.message_id = ++last_id_;
  f->header.body_bytes = s.body.bytes.size();
  f->body = s.body;
  s.sent[s.sent_count++ % s.sent.size()] = clock::now();
  if (auto sent = network_->send(identity_of(link_side::receiver).uuid, std::move(f)); !sent)
    end(sent.failure());
}

void link_load::on_acknowledged(const mesh::frame_ptr&) {
  if (!now_) return;
  auto& s = *now_;
  const auto now = clock::now();
  // Frames of one lane and priority are acknowledged in their order.
  const auto number = s.latencies_us.size();
  s.latencies_us.push_back(
      std::chrono::duration<double, std::micro>(now - s.sent[number % s.sent.size()]).count());
  if (now - s.began < s.order.time) return send_one();
  if (s.latencies_us.size() < s.sent_count) return;
  end(series_result{s.latencies_us.size(), std::chrono::duration<double>(now - s.began).count(),
                    quantile(s.latencies_us, 0.5), quantile(s.latencies_us, 0.99)});
}

void link_load::end(result<series_result> outcome) {
  if (const auto ended = std::exchange(now_, nullptr)) ended->done.set_value(std::move(outcome));
}

} // namespace gradmesh::tools::bench
