#include "tools/chaos/fault_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

namespace gradmesh::tools::chaos {
namespace {

constexpr int backlog = 128;
/// A rate is kept over this time.
constexpr double bucket_seconds = 0.02;
/// How soon a direction whose rate is used up is looked at again.
constexpr std::chrono::milliseconds refill_interval{2};
constexpr std::chrono::milliseconds longest_wait{1000};

error failed(const std::string& what) {
  return {errc::io_failed, "the proxy cannot " + what + ": " + env::errno_text()};
}

sockaddr_in address_of(const config::endpoint& at) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  inet_pton(AF_INET, at.host.c_str(), &address.sin_addr);
  return address;
}

env::descriptor tcp_socket() {
  env::descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

} // namespace

result<std::unique_ptr<fault_proxy>> fault_proxy::start(dialer_lookup dialer_of,
                                                        listener_maker listener_of) {
  std::unique_ptr<fault_proxy> proxy(new fault_proxy(std::move(dialer_of), std::move(listener_of)));
  if (!proxy->wake_) return failed("make an event");
  proxy->thread_ = std::thread([p = proxy.get()] { p->run(); });
  return proxy;
}

fault_proxy::fault_proxy(dialer_lookup dialer_of, listener_maker listener_of)
    : dialer_of_(std::move(dialer_of)), listener_of_(std::move(listener_of)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

fault_proxy::~fault_proxy() {
  ending_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void fault_proxy::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

result<config::endpoint> fault_proxy::door(const std::string& node) {
  const std::lock_guard lock(mutex_);
  if (const auto known = entrances_.find(node); known != entrances_.end()) return known->second.at;
  auto fd = tcp_socket();
  auto address = address_of({"127.0.0.1", 0});
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), backlog) != 0 ||
      ::getsockname(fd.get(), generic, &size) != 0)
    return failed("listen for node '" + node + "'");
  const config::endpoint at{"127.0.0.1", ntohs(address.sin_port)};
  entrances_[node] = {std::move(fd), at, {}};
  wake();
  return at;
}

void fault_proxy::aim(const std::string& node, const config::endpoint& target) {
  const std::lock_guard lock(mutex_);
  entrances_[node].target = target;
}

void fault_proxy::set(const std::string& node, const conditions& now) {
  const std::lock_guard lock(mutex_);
  nodes_[node].now = now;
  wake();
}

void fault_proxy::cut(const std::string& node) {
  const std::lock_guard lock(mutex_);
  std::erase_if(connections_, [&](const connection& c) {
    if (c.dialer != node && c.target != node) return false;
    c.line.reset_on_close();
    return true;
  });
  wake();
}

std::size_t fault_proxy::connections(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(
      connections_, [&](const connection& c) { return c.dialer == node || c.target == node; }));
}

void fault_proxy::accept_all(const std::string& node, entrance& at) {
  while (true) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    env::descriptor accepted(::accept4(at.listener.get(), reinterpret_cast<sockaddr*>(&from), &size,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) return;
    const int on = 1;
    ::setsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto dialled = tcp_socket();
    const auto address = address_of(at.target);
    // A target that refuses shows at the first read.
    if (at.target.port == 0 || !dialled ||
        (::connect(dialled.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
             0 &&
         errno != EINPROGRESS))
      continue;
    auto dialer = dialer_of_ ? dialer_of_(ntohs(from.sin_port), at.at.port) : std::string();
    auto listener = listener_of_ ? listener_of_(node) : connection_listener{};
    connections_.push_back(
        {std::move(dialer), node, {std::move(accepted), std::move(dialled), std::move(listener)}});
  }
}

fault_proxy::bucket& fault_proxy::of(const std::string& node, bool to) {
  auto& state = nodes_[node];
  return to ? state.to : state.from;
}

std::array<flow, 2> fault_proxy::flows_of(const connection& c, clock::time_point now) {
  auto& dialer = nodes_[c.dialer];
  auto& target = nodes_[c.target];
  const auto paused = [&](const node_state& node, bucket& b) {
    const auto rate = static_cast<double>(node.now.bytes_per_second);
    if (rate == 0) return false;
    const std::chrono::duration<double> passed = now - b.filled;
    b.bytes = std::min(rate * bucket_seconds, b.bytes + rate * passed.count());
    b.filled = now;
    return b.bytes < 1;
  };
  const auto delay = dialer.now.delay + target.now.delay;
  // Both buckets are filled, whatever the first says.
  const bool there = paused(dialer, dialer.from) | paused(target, target.to);
  const bool back = paused(dialer, dialer.to) | paused(target, target.from);
  return {flow{dialer.now.from_held || target.now.to_held, there, delay},
          flow{target.now.from_held || dialer.now.to_held, back, delay}};
}

std::size_t fault_proxy::allowance(const connection& c, direction d) {
  const bool there = d == direction::there;
  auto bytes = ~std::size_t{0};
  const auto limit = [&](const std::string& node, bool to) {
    if (nodes_[node].now.bytes_per_second > 0)
      bytes = std::min(bytes, static_cast<std::size_t>(of(node, to).bytes));
  };
  limit(c.dialer, !there);
  limit(c.target, there);
  return bytes;
}

void fault_proxy::charge(const connection& c, direction d, std::size_t bytes) {
  const bool there = d == direction::there;
  of(c.dialer, !there).bytes -= static_cast<double>(bytes);
  of(c.target, there).bytes -= static_cast<double>(bytes);
}

void fault_proxy::serve(connection& c, const pollfd* events, clock::time_point now) {
  const auto flows = flows_of(c, now);
  for (const auto d : {direction::there, direction::back}) {
    const auto i = static_cast<std::size_t>(d);
    const bool readable = (events[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
    if (readable && !flows[i].paused) charge(c, d, c.line.read(d, flows[i], allowance(c, d), now));
    c.line.write(d, flows[i], now);
  }
}

void fault_proxy::run() {
  std::vector<pollfd> fds;
  while (!ending_) {
    fds.assign(1, {wake_.get(), POLLIN, 0});
    std::vector<std::string> doors;
    std::vector<connection*> served;
    auto due = clock::now() + longest_wait;
    {
      const std::lock_guard lock(mutex_);
      const auto now = clock::now();
      for (const auto& [node, at] : entrances_) {
        if (!at.listener) continue;
        doors.push_back(node);
        fds.push_back({at.listener.get(), POLLIN, 0});
      }
      for (auto& c : connections_) {
        const auto flows = flows_of(c, now);
        served.push_back(&c);
        for (const auto d : {direction::there, direction::back}) {
          const auto wanted = c.line.wanted(d, flows, now);
          // Even unasked poll would tell of a hang-up, which must not be seen yet.
          fds.push_back({wanted != 0 ? c.line.socket(d) : -1, wanted, 0});
        }
        due = std::min(due, c.line.next_due(flows, now));
        if (flows[0].paused || flows[1].paused) due = std::min(due, now + refill_interval);
      }
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - clock::now());
    if (::poll(fds.data(), fds.size(), std::max(0, static_cast<int>(wait.count()))) < 0) continue;
    std::uint64_t woken = 0;
    if (fds[0].revents != 0) (void)!::read(wake_.get(), &woken, sizeof woken);

    const std::lock_guard lock(mutex_);
    const auto now = clock::now();
    std::size_t next = 1 + doors.size();
    for (auto& c : connections_) {
      // Others may have been cut, and none is added but here.
      const auto place = std::find(served.begin(), served.end(), &c);
      if (place != served.end())
        serve(c, &fds[next + 2 * static_cast<std::size_t>(place - served.begin())], now);
    }
    std::erase_if(connections_, [](const connection& c) { return c.line.over(); });
    for (std::size_t i = 0; i < doors.size(); ++i)
      if (fds[1 + i].revents != 0) accept_all(doors[i], entrances_[doors[i]]);
  }
}

} // namespace gradmesh::tools::chaos
