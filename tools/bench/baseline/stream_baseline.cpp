#include "tools/bench/baseline/stream_baseline.hpp"

#include "tools/bench/peer_process.hpp"
#include "tools/bench/statistics.hpp"
#include "tools/bench/touch.hpp"
#include "tools/options.hpp"

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{20};
/// The first byte of a message: what its reader does next.
constexpr std::byte read_on{0};
constexpr std::byte answer{1};
constexpr std::byte end_series{2};
/// Comes before a series of messages and says how long each of them is.
using message_bytes = std::uint64_t;
/// As long as a frame's header and a little metadata.
constexpr std::size_t answer_bytes = 128;

error gone() {
  return {errc::node_lost, "the other process of the baseline has closed its connection"};
}

class stream_baseline final : public baseline {
public:
  stream_baseline(const char* name, peer_process peer, std::unique_ptr<byte_stream> stream)
      : name_(name), peer_(std::move(peer)), stream_(std::move(stream)) {}

  const char* name() const override { return name_; }

  result<double> goodput(std::uint64_t bytes, std::chrono::duration<double> time) override {
    if (!begin_series(bytes)) return gone();
    std::uint64_t sent = 0;
    const auto begin = clock::now();
    do {
      if (!stream_->write_all(message_)) return gone();
      sent += bytes;
    } while (clock::now() - begin < time);
    message_.front() = answer; // the last one: its answer says that all have been read
    if (!stream_->write_all(message_) || !hear()) return gone();
    const std::chrono::duration<double> passed = clock::now() - begin;
    sent += bytes;
    if (!finish_series()) return gone();
    return static_cast<double>(sent) / passed.count() / 1e9;
  }

  result<std::optional<double>> rtt_us(std::uint64_t bytes,
                                       std::chrono::duration<double> time) override {
    if (!begin_series(bytes)) return gone();
    message_.front() = answer;
    std::vector<double> times;
    const auto begin = clock::now();
    do {
      const auto sent = clock::now();
      if (!stream_->write_all(message_) || !hear()) return gone();
      times.push_back(std::chrono::duration<double, std::micro>(clock::now() - sent).count());
    } while (clock::now() - begin < time);
    if (!finish_series()) return gone();
    return std::optional(median(std::move(times)));
  }

private:
  bool begin_series(message_bytes bytes) {
    message_.assign(bytes, read_on);
    return stream_->write_all(std::as_bytes(std::span(&bytes, 1)));
  }
  bool finish_series() {
    message_.front() = end_series;
    return stream_->write_all(message_);
  }
  bool hear() {
    std::byte short_answer[answer_bytes];
    return stream_->read_all(short_answer);
  }

  const char* name_;
  peer_process peer_;
  std::unique_ptr<byte_stream> stream_;
  std::vector<std::byte> message_;
};

/// Reads series after series and answers where it is asked to.
void serve(byte_stream& stream, bool touch) {
  message_bytes bytes = 0;
  while (stream.read_all(std::as_writable_bytes(std::span(&bytes, 1)))) {
    std::vector<std::byte> message(bytes);
    do {
      if (!stream.read_all(message)) return;
      if (touch) touch_all(message);
      const std::byte short_answer[answer_bytes] = {};
      if (message.front() == answer && !stream.write_all(short_answer)) return;
    } while (message.front() != end_series);
  }
}

result<std::unique_ptr<baseline>> start(const char* name, const std::optional<tls_files>& ours,
                                        const std::optional<tls_files>& theirs, bool touch) {
  std::vector<std::string> arguments{"bench", "baseline-peer"};
  if (touch) arguments.push_back("--touch");
  if (theirs)
    arguments.insert(arguments.end(), {"--ca", theirs->ca, "--certificate", theirs->certificate,
                                       "--key", theirs->key});
  auto peer = peer_process::start(arguments);
  if (!peer) return peer.failure();
  const auto ready = peer->hear(patience);
  if (!ready) return ready.failure();
  auto stream = connect_stream((*ready)["port"].get<std::uint16_t>(), ours);
  if (!stream) return stream.failure();
  return std::unique_ptr<baseline>(
      std::make_unique<stream_baseline>(name, *std::move(peer), *std::move(stream)));
}

} // namespace

result<std::unique_ptr<baseline>> make_raw_tcp(bool touch) {
  return start("raw_tcp", std::nullopt, std::nullopt, touch);
}

result<std::unique_ptr<baseline>> make_openssl(const tls_files& ours, const tls_files& theirs,
                                               bool touch) {
  return start("openssl", ours, theirs, touch);
}

exit_code baseline_peer(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh bench baseline-peer",
                       .description = "Internal: the other end of a baseline.",
                       .positional = {}};
  options.named.add_options()("touch", po::bool_switch(), "")("ca", po::value<std::string>(), "")(
      "certificate", po::value<std::string>(), "")("key", po::value<std::string>(), "");
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    std::optional<tls_files> tls;
    if (values.count("ca") > 0)
      tls = {values["ca"].as<std::string>(), values["certificate"].as<std::string>(),
             values["key"].as<std::string>()};
    auto listener = stream_listener::open();
    if (!listener) return report_failure("bench", listener.failure());
    say({{"port", listener->port()}});
    const auto stream = listener->accept(tls);
    if (!stream) return report_failure("bench", stream.failure());
    serve(**stream, values["touch"].as<bool>());
    return exit_ok;
  });
}

} // namespace gradmesh::tools::bench
