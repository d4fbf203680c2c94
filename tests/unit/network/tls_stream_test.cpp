#include "tests/unit/network/tls_support.hpp"

#include <kj/debug.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <random>
#include <span>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;

namespace {

constexpr std::size_t record_bytes = 16384;
/// A TLS 1.3 record of AES-GCM is longer than what it carries: header 5, content type 1, tag 16.
constexpr std::size_t overhead_bytes = 22;

using bytes = std::vector<kj::byte>;
using pieces = std::vector<kj::ArrayPtr<const kj::byte>>;

kj::Promise<void> write_pieces(kj::AsyncOutputStream& to, const pieces& p) {
  return to.write(kj::arrayPtr(p.data(), p.size()));
}

int descriptor_of(kj::AsyncIoStream& s) {
  return KJ_ASSERT_NONNULL(s.getFd());
}

std::string read_text(test_loop& loop, kj::AsyncIoStream& from, std::size_t size) {
  std::string text(size, '\0');
  text.resize(loop.wait(from.tryRead(text.data(), size, size)));
  return text;
}

/// The error with which a promise fails.
template <class T>
kj::Exception failure_of(test_loop& loop, kj::Promise<T> promise) {
  kj::Maybe<kj::Exception> caught;
  loop.wait(promise.then([](auto&&...) {}, [&](kj::Exception&& e) { caught = kj::mv(e); }));
  return KJ_REQUIRE_NONNULL(caught);
}

/// Sends `data` in gathered writes of random pieces.
kj::Promise<void> send_all(kj::AsyncIoStream& to, std::span<const kj::byte> data,
                           std::mt19937_64& random) {
  if (data.empty()) return kj::READY_NOW;
  auto p = std::make_shared<pieces>();
  const auto count = 1 + random() % 40;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::size_t limits[] = {1, 2, 100, 5'000, 20'000, 300'000};
    const auto size = std::min<std::size_t>(random() % limits[random() % 6], data.size());
    p->push_back({data.data(), size});
    data = data.subspan(size);
  }
  return write_pieces(to, *p).then([&to, data, &random, p] { return send_all(to, data, random); });
}

/// Receives as much in reads of random sizes.
kj::Promise<void> receive_all(kj::AsyncIoStream& from, std::span<kj::byte> data,
                              std::mt19937_64& random) {
  if (data.empty()) return kj::READY_NOW;
  constexpr std::size_t limits[] = {1, 100, 16'384, 70'000, 2'000'000};
  const auto most = std::min<std::size_t>(1 + random() % limits[random() % 5], data.size());
  const auto least = 1 + random() % most;
  return from.tryRead(data.data(), least, most)
      .then([&from, data, &random, least](std::size_t got) {
        KJ_REQUIRE(got >= least);
        return receive_all(from, data.subspan(got), random);
      });
}

bytes random_bytes(std::size_t size, std::mt19937_64& random) {
  bytes data(size);
  for (auto& b : data)
    b = static_cast<kj::byte>(random());
  return data;
}

/// A stream of ours, connected with OpenSSL alone.
struct bare_pair {
  bare_pair(test_loop& loop, const authority& ca) : bare_pair(loop, ca, loop.sockets()) {}
  bare_pair(test_loop& loop, const authority& ca, kj::TwoWayPipe sockets)
      : peer(loop, kj::mv(sockets.ends[1]), {.identity = ca.node("bare")}) {
    auto shaking = peer.shake_hands().eagerlyEvaluate(nullptr);
    auto accepted = loop.wait(context_of(ca, ca.node("n"))
                                  ->accept(loop.io.unixEventPort, kj::mv(sockets.ends[0]), "bare"));
    REQUIRE(accepted);
    CHECK(loop.wait(kj::mv(shaking)).empty());
    stream = kj::mv(accepted->stream);
  }

  bare_peer peer;
  kj::Own<kj::AsyncIoStream> stream;
};

} // namespace

TEST_CASE("what both sides send at once arrives whole, whatever the pieces") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  test_loop loop;
  stream_pair pair(loop);
  const auto to_dialer = random_bytes(9'000'000, random);
  const auto to_listener = random_bytes(12'345'678, random);
  bytes at_dialer(to_dialer.size());
  bytes at_listener(to_listener.size());
  auto all = kj::heapArrayBuilder<kj::Promise<void>>(4);
  all.add(send_all(*pair.listener, to_dialer, random));
  all.add(send_all(*pair.dialer, to_listener, random));
  all.add(receive_all(*pair.dialer, at_dialer, random));
  all.add(receive_all(*pair.listener, at_listener, random));
  loop.wait(kj::joinPromises(all.finish()));
  CHECK((at_dialer == to_dialer));
  CHECK((at_listener == to_listener));
}

TEST_CASE("the same over loopback TCP") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const authority ca;
  const auto context = context_of(ca, ca.node("n"));
  test_loop loop;
  auto& network = loop.io.provider->getNetwork();
  auto receiver = loop.wait(network.parseAddress("127.0.0.1", 0))->listen();
  auto& port = loop.io.unixEventPort;
  auto accepting = receiver->accept()
                       .then([&](kj::Own<kj::AsyncIoStream> s) {
                         return context->accept(port, kj::mv(s), "dialer");
                       })
                       .eagerlyEvaluate(nullptr);
  auto socket =
      loop.wait(loop.wait(network.parseAddress("127.0.0.1", receiver->getPort()))->connect());
  auto dialled = loop.wait(context->connect(port, kj::mv(socket), "listener", "127.0.0.1"));
  auto accepted = loop.wait(kj::mv(accepting));
  REQUIRE(dialled);
  REQUIRE(accepted);
  const auto sent = random_bytes(6'000'000, random);
  bytes received(sent.size());
  auto sending = send_all(*dialled->stream, sent, random).eagerlyEvaluate(nullptr);
  loop.wait(receive_all(*accepted->stream, received, random));
  loop.wait(kj::mv(sending));
  CHECK((received == sent));
}

TEST_CASE("small pieces share full records, and a body follows its header in the first") {
  test_loop loop;
  stream_pair pair(loop);
  const bytes data(5 * record_bytes, 7);
  const auto wire_bytes = [&](const pieces& p) {
    loop.wait(write_pieces(*pair.dialer, p));
    const auto waiting = readable_bytes(descriptor_of(*pair.listener));
    std::size_t size = 0;
    for (const auto& piece : p)
      size += piece.size();
    CHECK(read_text(loop, *pair.listener, size).size() == size);
    return waiting - size;
  };
  const kj::ArrayPtr<const kj::byte> all(data.data(), data.size());
  CHECK(wire_bytes(pieces(1000, all.slice(0, 16))) == overhead_bytes);
  CHECK(wire_bytes({all.slice(0, 96), all.slice(0, 4 * record_bytes)}) == 5 * overhead_bytes);
  CHECK(wire_bytes({all.slice(0, 96), all.slice(0, 4 * record_bytes - 96)}) == 4 * overhead_bytes);
  CHECK(wire_bytes({all.slice(0, 0), all.slice(0, 10), all.slice(0, 0)}) == overhead_bytes);
  CHECK(wire_bytes({all}) == 5 * overhead_bytes);
}

TEST_CASE("a write of nothing resolves and sends nothing") {
  test_loop loop;
  stream_pair pair(loop);
  loop.wait(pair.dialer->write("", 0));
  loop.wait(write_pieces(*pair.dialer, {}));
  CHECK(readable_bytes(descriptor_of(*pair.listener)) == 0);
  loop.wait(pair.dialer->write("a", 1));
  CHECK(read_text(loop, *pair.listener, 1) == "a");
}

TEST_CASE("a write waits for a peer that does not read, and reading goes on meanwhile") {
  test_loop loop;
  stream_pair pair(loop);
  const bytes data(8u << 20, 3);
  auto writing = pair.dialer->write(data.data(), data.size()).eagerlyEvaluate(nullptr);
  CHECK_FALSE(writing.poll(loop.io.waitScope));
  loop.wait(pair.listener->write("answer", 6));
  CHECK(read_text(loop, *pair.dialer, 6) == "answer");
  CHECK_FALSE(writing.poll(loop.io.waitScope));
  bytes received(data.size());
  CHECK(loop.wait(pair.listener->tryRead(received.data(), received.size(), received.size())) ==
        data.size());
  loop.wait(kj::mv(writing));
  CHECK((received == data));
}

TEST_CASE("a read gives what there is once its least is there") {
  test_loop loop;
  stream_pair pair(loop);
  std::string room(10, '.');
  auto reading = pair.listener->tryRead(room.data(), 4, 10).eagerlyEvaluate(nullptr);
  loop.wait(pair.dialer->write("abc", 3));
  CHECK_FALSE(reading.poll(loop.io.waitScope));
  loop.wait(pair.dialer->write("de", 2));
  CHECK(loop.wait(kj::mv(reading)) == 5);
  CHECK(room == "abcde.....");
}

TEST_CASE("a read that was given up leaves later bytes to the next") {
  test_loop loop;
  stream_pair pair(loop);
  char byte = 0;
  auto given_up = pair.listener->tryRead(&byte, 1, 1).eagerlyEvaluate(nullptr);
  CHECK_FALSE(given_up.poll(loop.io.waitScope));
  given_up = nullptr;
  loop.wait(pair.dialer->write("x", 1));
  CHECK(read_text(loop, *pair.listener, 1) == "x");
}

TEST_CASE("a write that was given up does not touch its bytes again") {
  test_loop loop;
  stream_pair pair(loop);
  auto data = std::make_unique<bytes>(8u << 20, 3);
  auto writing = pair.dialer->write(data->data(), data->size()).eagerlyEvaluate(nullptr);
  CHECK_FALSE(writing.poll(loop.io.waitScope));
  writing = nullptr;
  data = nullptr;
  pair.dialer->shutdownWrite();
  // The sanitizer watches over `data`; what was encrypted before still comes, then the end.
  bytes received(9u << 20);
  const auto got =
      loop.wait(pair.listener->tryRead(received.data(), received.size(), received.size()));
  CHECK(got > 0);
  CHECK(got < (8u << 20));
}

TEST_CASE("shutdownWrite ends one direction after all that was written") {
  test_loop loop;
  stream_pair pair(loop);
  loop.wait(pair.dialer->write("last", 4));
  pair.dialer->shutdownWrite();
  CHECK(read_text(loop, *pair.listener, 10) == "last");
  CHECK(read_text(loop, *pair.listener, 10).empty());
  loop.wait(pair.listener->write("still", 5));
  CHECK(read_text(loop, *pair.dialer, 5) == "still");
}

TEST_CASE("shutdownWrite says farewell, destroying a stream does not") {
  const authority ca;
  test_loop loop;
  bare_pair polite(loop, ca);
  polite.stream->shutdownWrite();
  CHECK(loop.wait(polite.peer.read(1)) == "the end");
  bare_pair rude(loop, ca);
  rude.stream = nullptr;
  CHECK(loop.wait(rude.peer.read(1)) == "cut off");
}

TEST_CASE("a connection that ends without close_notify is at its end all the same") {
  test_loop loop;
  stream_pair pair(loop);
  loop.wait(pair.dialer->write("last", 4));
  pair.dialer = nullptr;
  CHECK(read_text(loop, *pair.listener, 10) == "last");
  CHECK(read_text(loop, *pair.listener, 10).empty());
}

TEST_CASE("a record that the peer did not encrypt fails the read") {
  test_loop loop;
  stream_pair pair(loop);
  loop.wait(pair.dialer->write("good", 4));
  std::string forged("\x17\x03\x03\x00\x20", 5);
  forged.resize(5 + 32, 'x');
  REQUIRE(::send(descriptor_of(*pair.dialer), forged.data(), forged.size(), 0) == 37);
  CHECK(read_text(loop, *pair.listener, 4) == "good");
  char byte = 0;
  const auto failed = failure_of(loop, pair.listener->tryRead(&byte, 1, 1));
  CHECK(failed.getType() == kj::Exception::Type::FAILED);
  CHECK(std::string(failed.getDescription().cStr()).find("bad record mac") != std::string::npos);
  // And the alert about it reaches the other side.
  CHECK(failure_of(loop, pair.dialer->tryRead(&byte, 1, 1)).getType() ==
        kj::Exception::Type::FAILED);
}

TEST_CASE("writing to a peer that is gone is an error, not the end of the process") {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  test_loop loop;
  stream_pair pair(loop);
  std::signal(SIGPIPE, SIG_DFL); // KJ ignores it
  pair.listener = nullptr;
  const bytes data(1u << 20, 1);
  CHECK(failure_of(loop, pair.dialer->write(data.data(), data.size())).getType() ==
        kj::Exception::Type::DISCONNECTED);
  loop.wait(pair.dialer->whenWriteDisconnected());
  std::signal(SIGPIPE, before);
}

TEST_CASE("a peer that changes its keys is followed, and answered") {
  const authority ca;
  test_loop loop;
  bare_pair pair(loop, ca);
  for (int i = 0; i < 20; ++i) {
    pair.peer.update_keys();
    pair.peer.write("x");
    CHECK(read_text(loop, *pair.stream, 1) == "x");
  }
  // OpenSSL answers a change when it sees the next, though this stream writes nothing itself.
  CHECK(readable_bytes(pair.peer.socket().descriptor()) > 0);
  loop.wait(pair.stream->write("y", 1));
  CHECK(loop.wait(pair.peer.read(1)).empty());
}

TEST_CASE("a peer that asks for new keys without reading the answers is cut off") {
  const authority ca;
  test_loop loop;
  bare_pair pair(loop, ca);
  std::string failed;
  // An answer has 27 bytes, and some hundred kilobytes of them are let wait.
  for (int i = 0; i < 100'000 && failed.empty(); ++i) {
    pair.peer.update_keys();
    pair.peer.write("x");
    char byte = 0;
    loop.wait(pair.stream->tryRead(&byte, 1, 1)
                  .then([](std::size_t) {},
                        [&](kj::Exception&& e) { failed = e.getDescription().cStr(); }));
  }
  CHECK(failed.find("without reading") != std::string::npos);
}

TEST_CASE("options and addresses are those of the socket") {
  test_loop loop;
  stream_pair pair(loop);
  int size = 4096;
  pair.dialer->setsockopt(SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  int now = 0;
  kj::uint length = sizeof(now);
  pair.dialer->getsockopt(SOL_SOCKET, SO_SNDBUF, &now, &length);
  CHECK(now == 2 * size); // Linux doubles it
  sockaddr_storage address{};
  length = sizeof(address);
  pair.dialer->getsockname(reinterpret_cast<sockaddr*>(&address), &length);
  CHECK(address.ss_family == AF_UNIX);
}
