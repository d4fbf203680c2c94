#pragma once

/// Frames onto a byte stream: a batch is one gathered write, and no body is copied. Lives on the
/// loop thread; one write at a time; the stream must outlive the writer.

#include "actors/mesh/frame.hpp"

#include <kj/async-io.h>
#include <kj/vector.h>

#include <vector>

namespace gradmesh::env {

class frame_writer {
public:
  explicit frame_writer(kj::AsyncOutputStream& stream) : stream_(stream) {}

  /// Resolves when the system has taken all bytes; the frames are kept alive until then. Errors of
  /// the stream come as kj::Exception. To give a write up means to close the stream: it may have
  /// stopped within a frame.
  kj::Promise<void> write(std::vector<mesh::frame_ptr> frames);

private:
  kj::AsyncOutputStream& stream_;
  std::vector<mesh::frame_ptr> frames_;
  std::vector<std::byte> copied_;
  kj::Vector<kj::ArrayPtr<const kj::byte>> pieces_;
};

} // namespace gradmesh::env
