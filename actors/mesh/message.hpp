#pragma once

/// The one type by which actors see what came over a link (or from a neighbour in the same node): a
/// Cap'n Proto reader on a shared, immutable frame. Nothing is copied when a message is passed on.
///
/// Inside a node a message is passed by reference; between nodes the frame itself travels. It is
/// never serialised by CAF.
///
/// Cap'n Proto checks pointers when they are followed, so a message that decodes can still throw
/// `kj::Exception` from a getter; `mesh::receive` (receive.hpp), through which every handler of
/// remote messages runs, catches that in one place.

#include "actors/error.hpp"
#include "actors/mesh/frame.hpp"
#include "schema/checkpointing.capnp.h"
#include "schema/cluster.capnp.h"
#include "schema/data.capnp.h"
#include "schema/job.capnp.h"
#include "schema/message.capnp.h"
#include "schema/parameters.capnp.h"
#include "schema/replication.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace gradmesh::mesh {

/// Every message that actors exchange: X(struct, kind, lane). Link handshake messages are not here,
/// actors never see them.
#define GRADMESH_MESSAGES(X)                                                                       \
  X(Refusal, REFUSAL, control)                                                                     \
  X(Register, REGISTER, control)                                                                   \
  X(Registered, REGISTERED, control)                                                               \
  X(Heartbeat, HEARTBEAT, control)                                                                 \
  X(View, VIEW, control)                                                                           \
  X(StatusRequest, STATUS_REQUEST, control)                                                        \
  X(Status, STATUS, control)                                                                       \
  X(Shutdown, SHUTDOWN, control)                                                                   \
  X(SubmitJob, SUBMIT_JOB, control)                                                                \
  X(JobAccepted, JOB_ACCEPTED, control)                                                            \
  X(JobUpdate, JOB_UPDATE, control)                                                                \
  X(CancelJob, CANCEL_JOB, control)                                                                \
  X(JobPlan, JOB_PLAN, control)                                                                    \
  X(PlanReady, PLAN_READY, control)                                                                \
  X(StartPhase, START_PHASE, control)                                                              \
  X(PhaseProgress, PHASE_PROGRESS, control)                                                        \
  X(JobFailed, JOB_FAILED, control)                                                                \
  X(EndJob, END_JOB, control)                                                                      \
  X(ChangeJob, CHANGE_JOB, control)                                                                \
  X(JobChanged, JOB_CHANGED, control)                                                              \
  X(LimitPhase, LIMIT_PHASE, control)                                                              \
  X(PhaseLimit, PHASE_LIMIT, control)                                                              \
  X(LoadData, LOAD_DATA, control)                                                                  \
  X(DataLoaded, DATA_LOADED, control)                                                              \
  X(Layout, LAYOUT, control)                                                                       \
  X(LayoutTaken, LAYOUT_TAKEN, control)                                                            \
  X(LeaseBatch, LEASE_BATCH, bulk)                                                                 \
  X(Batch, BATCH, bulk)                                                                            \
  X(Pull, PULL, bulk)                                                                              \
  X(Pulled, PULLED, bulk)                                                                          \
  X(Push, PUSH, bulk)                                                                              \
  X(Pushed, PUSHED, bulk)                                                                          \
  X(ExportPartition, EXPORT_PARTITION, bulk)                                                       \
  X(PartitionContent, PARTITION_CONTENT, bulk)                                                     \
  X(Replicate, REPLICATE, bulk)                                                                    \
  X(Replicated, REPLICATED, bulk)                                                                  \
  X(SnapshotChunk, SNAPSHOT_CHUNK, bulk)                                                           \
  X(SnapshotTaken, SNAPSHOT_TAKEN, bulk)                                                           \
  X(BackupReport, BACKUP_REPORT, control)                                                          \
  X(DrainNode, DRAIN_NODE, control)                                                                \
  X(DrainStarted, DRAIN_STARTED, control)                                                          \
  X(CreateCheckpoint, CREATE_CHECKPOINT, control)                                                  \
  X(CheckpointCreated, CHECKPOINT_CREATED, control)                                                \
  X(CheckpointStage, CHECKPOINT_STAGE, control)                                                    \
  X(PushesHeld, PUSHES_HELD, control)                                                              \
  X(CheckpointChunk, CHECKPOINT_CHUNK, bulk)                                                       \
  X(CheckpointTaken, CHECKPOINT_TAKEN, control)                                                    \
  X(RestoreChunk, RESTORE_CHUNK, bulk)

/// `kind`, lane (`on`) and `name` of a message's schema type.
template <class T>
struct message_traits;

#define GRADMESH_TRAITS(type, ordinal, on_lane)                                                    \
  template <>                                                                                      \
  struct message_traits<schema::type> {                                                            \
    static constexpr auto kind = static_cast<std::uint16_t>(schema::MessageKind::ordinal);         \
    static constexpr mesh::lane on = mesh::lane::on_lane;                                          \
    static constexpr const char* name = #type;                                                     \
  };
GRADMESH_MESSAGES(GRADMESH_TRAITS)
#undef GRADMESH_TRAITS

/// A received message of schema type T. Cheap to copy; keeps its frame alive. Only a default
/// constructed one has no content.
template <class T>
class message {
public:
  message() = default;

  /// Errors: `malformed_message` when the metadata is no Cap'n Proto message with a T at its root.
  static result<message> decode(frame_ptr f);

  typename T::Reader operator*() const { return content_->root; }
  const frame_header& header() const { return content_->frame->header; }
  std::span<const std::byte> body() const { return content_->frame->body.bytes; }
  const frame_ptr& frame() const { return content_->frame; }
  /// Who sent it.
  address sender() const { return {header().from.uuid, header().from_service}; }

  /// The body's bytes [offset, offset + count * sizeof(U)) as U, or nothing if the body is shorter
  /// or the place is not aligned.
  template <class U>
  std::optional<std::span<const U>> array(std::uint64_t offset, std::uint64_t count) const {
    const auto bytes = body();
    if (offset > bytes.size() || offset % alignof(U) != 0 ||
        count > (bytes.size() - offset) / sizeof(U))
      return std::nullopt;
    return std::span<const U>(reinterpret_cast<const U*>(bytes.data() + offset), count);
  }

private:
  struct content {
    explicit content(frame_ptr f);
    frame_ptr frame;
    capnp::FlatArrayMessageReader reader;
    typename T::Reader root;
  };
  std::shared_ptr<const content> content_;
};

/// A message to be sent: fill in the builder, set the body if there is one, hand it to the router.
template <class T>
class draft {
public:
  draft() : content_(std::make_unique<content>()) {
    root_ = content_->builder.template initRoot<T>();
  }

  typename T::Builder* operator->() { return &root_; }
  typename T::Builder& operator*() { return root_; }
  frame_body body;
  std::uint8_t priority = 0; // see frame_header

  /// The frame, without what only the router knows (identity, epoch, message id).
  frame build(address to, service_id from, std::uint64_t in_reply_to, mesh::lane on_lane) const;

private:
  /// Most messages are small, and Cap'n Proto's own first segment would be 8 KiB.
  struct content {
    capnp::word first_segment[64] = {};
    capnp::MallocMessageBuilder builder{kj::arrayPtr(first_segment, 64)};
  };
  std::unique_ptr<content> content_;
  typename T::Builder root_ = nullptr;
};

/// Why a message does not decode, with what it quotes of the message made printable.
error malformed(const std::string& what, const kj::Exception& e);

/// A Cap'n Proto text as the standard library's.
inline std::string text(capnp::Text::Reader t) {
  return {t.begin(), t.size()};
}

/// A uuid field; `std::nullopt` unless it has 16 bytes.
std::optional<node_uuid> to_uuid(capnp::Data::Reader bytes);
inline capnp::Data::Reader to_data(const node_uuid& uuid) {
  return capnp::Data::Reader(uuid.data(), uuid.size());
}

draft<schema::Refusal> make_refusal(const error& e);
error to_error(schema::Refusal::Reader refusal);

} // namespace gradmesh::mesh
