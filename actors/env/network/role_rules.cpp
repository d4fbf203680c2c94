#include "actors/env/network/role_rules.hpp"

#include "schema/message.capnp.h"

namespace gradmesh::env {
namespace {

using mesh::role;
using mesh::role_set;

constexpr role_set members{role::coordinator, role::server, role::worker, role::data_server};
constexpr role_set everybody{role::coordinator, role::server, role::worker, role::data_server,
                             role::client};
constexpr role_set coordinators{role::coordinator};

} // namespace

mesh::role_set senders_of(std::uint16_t kind) {
  using schema::MessageKind;
  switch (static_cast<MessageKind>(kind)) {
  case MessageKind::REFUSAL:
  case MessageKind::STATUS_REQUEST:
    return everybody;
  case MessageKind::REGISTER:
  case MessageKind::HEARTBEAT:
  case MessageKind::PLAN_READY:
  case MessageKind::JOB_FAILED:
    return members;
  case MessageKind::REGISTERED:
  case MessageKind::VIEW:
  case MessageKind::STATUS:
  case MessageKind::JOB_ACCEPTED:
  case MessageKind::JOB_UPDATE:
  case MessageKind::JOB_PLAN:
  case MessageKind::LAYOUT:
  case MessageKind::START_PHASE:
  case MessageKind::LIMIT_PHASE:
  case MessageKind::JOB_CHANGED:
  case MessageKind::DRAIN_STARTED:
  case MessageKind::END_JOB:
  case MessageKind::LOAD_DATA:
  case MessageKind::EXPORT_PARTITION:
  case MessageKind::CHECKPOINT_CREATED:
  case MessageKind::CHECKPOINT_STAGE:
  case MessageKind::CHECKPOINT_TAKEN:
  case MessageKind::RESTORE_CHUNK:
    return coordinators;
  case MessageKind::SHUTDOWN:
    return {role::coordinator, role::client};
  case MessageKind::SUBMIT_JOB:
  case MessageKind::CANCEL_JOB:
  case MessageKind::CHANGE_JOB:
  case MessageKind::DRAIN_NODE:
  case MessageKind::CREATE_CHECKPOINT:
    return {role::client};
  case MessageKind::PHASE_PROGRESS:
  case MessageKind::LEASE_BATCH:
  case MessageKind::PULL:
  case MessageKind::PUSH:
    return {role::worker};
  case MessageKind::DATA_LOADED:
  case MessageKind::PHASE_LIMIT:
  case MessageKind::BATCH:
    return {role::data_server, role::worker}; // a worker reads its own share of partitioned data
  case MessageKind::LAYOUT_TAKEN:
    return {role::server, role::worker};
  case MessageKind::PULLED:
  case MessageKind::PUSHED:
  case MessageKind::PARTITION_CONTENT:
  case MessageKind::REPLICATE:
  case MessageKind::REPLICATED:
  case MessageKind::SNAPSHOT_CHUNK:
  case MessageKind::SNAPSHOT_TAKEN:
  case MessageKind::BACKUP_REPORT:
  case MessageKind::PUSHES_HELD:
  case MessageKind::CHECKPOINT_CHUNK:
    return {role::server};
  case MessageKind::NONE:
  case MessageKind::HELLO:
  case MessageKind::WELCOME:
  case MessageKind::REFUSE:
  case MessageKind::CREDIT:
    return {};
  }
  return {};
}

} // namespace gradmesh::env
