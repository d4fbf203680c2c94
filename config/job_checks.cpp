#include "config/job_checks.hpp"

#include <fmt/format.h>

namespace gradmesh::config {

namespace {

void check_data(const data_section& d, std::vector<finding>& found) {
  if (d.format != data_format::debian_packages && d.train.empty())
    found.push_back({"data.train", fmt::format("required with data.format = {}; name the file "
                                               "that holds the training examples",
                                               to_string(d.format))});
  if (d.format == data_format::idx && d.train_labels.empty())
    found.push_back({"data.train_labels", "required with data.format = idx; name the file that "
                                          "holds the labels of data.train"});
  if (d.format == data_format::idx && !d.test.empty() && d.test_labels.empty())
    found.push_back({"data.test_labels", "required with data.format = idx and a data.test; name "
                                         "the file that holds the labels of data.test"});
  if (!d.test.empty() && d.test_last != 0)
    found.push_back({"data.test_last", "data.test names a test set already; keep one of the two"});
  if (!d.test.empty() && d.test_fraction != 0)
    found.push_back(
        {"data.test_fraction", "data.test names a test set already; keep one of the two"});
  if (d.test_last != 0 && d.test_fraction != 0)
    found.push_back(
        {"data.test_fraction", "data.test_last chooses a test set already; keep one of the two"});
}

void check_mesh(const job_config& c, std::vector<finding>& found) {
  if (c.data.served_by == data_service::data_servers && c.mesh.data_servers == 0)
    found.push_back({"mesh.data_servers", "nobody is left to hand out the examples; start at least "
                                          "1, or set data.served_by = partitioned"});
  if (!is_loopback(c.mesh.listen))
    found.push_back({"mesh.listen", fmt::format("{} is not a loopback address, and the nodes of "
                                                "gradmesh run do without TLS; listen on "
                                                "127.0.0.1",
                                                to_string(c.mesh.listen))});
}

void check_steps(const job_config& c, std::vector<finding>& found) {
  const auto& j = c.job;
  if (c.mesh.workers > j.batch_size)
    found.push_back(
        {"mesh.workers", fmt::format("{} workers cannot share the {} examples of a "
                                     "step; raise job.batch_size or start fewer workers",
                                     c.mesh.workers, j.batch_size)});
  if (j.backup_workers > 0 && j.strategy != strategy::bsp)
    found.push_back({"job.backup_workers",
                     fmt::format("needs job.strategy = bsp, but it is {}", to_string(j.strategy))});
  if (j.backup_workers >= c.mesh.workers)
    found.push_back({"job.backup_workers",
                     fmt::format("a step needs a worker that is no backup, but there are {} "
                                 "workers (mesh.workers) and {} backups among them",
                                 c.mesh.workers, j.backup_workers)});
  if (!j.deterministic) return;
  if (j.backup_workers > 0)
    found.push_back({"job.deterministic",
                     fmt::format("cannot be with job.backup_workers = {}: which worker is last "
                                 "is chance",
                                 j.backup_workers)});
  if (j.strategy != strategy::bsp)
    found.push_back({"job.deterministic",
                     fmt::format("needs job.strategy = bsp, but it is {}", to_string(j.strategy))});
  if (j.batch_size < j.micro_batches)
    found.push_back(
        {"job.batch_size", fmt::format("the {} examples of a step cannot be cut into {} "
                                       "micro batches; raise job.batch_size or lower "
                                       "job.micro_batches",
                                       j.batch_size, j.micro_batches)});
  if (c.mesh.workers > j.micro_batches)
    found.push_back({"mesh.workers", fmt::format("{} workers cannot share the {} micro batches of "
                                                 "a deterministic step; raise job.micro_batches "
                                                 "or start fewer workers",
                                                 c.mesh.workers, j.micro_batches)});
}

void check_checkpoint(const job_config& c, std::vector<finding>& found) {
  if (c.checkpoint.interval.count() > 0 && c.checkpoint.folder.empty())
    found.push_back({"checkpoint.interval",
                     fmt::format("a checkpoint every {} s needs checkpoint.folder to say where",
                                 c.checkpoint.interval.count())});
}

void check_emulation(const job_config& c, std::vector<finding>& found) {
  for (const auto& slow : c.emulation.slow_workers)
    if (slow.rank >= c.mesh.workers)
      found.push_back({"emulation.slow_workers",
                       fmt::format("there is no worker of rank {}; the ranks of mesh.workers = {} "
                                   "are 0..{}",
                                   slow.rank, c.mesh.workers, c.mesh.workers - 1)});
}

void check_optimizer(const job_config& c, std::vector<finding>& found) {
  const auto& o = c.optimizer;
  if (o.min_rate > o.learning_rate)
    found.push_back({"optimizer.min_rate",
                     fmt::format("{} is above optimizer.learning_rate = {}, from which schedules "
                                 "fall; lower it",
                                 o.min_rate, o.learning_rate)});
  if (c.job.steps != 0 && o.warmup_steps >= c.job.steps)
    found.push_back({"optimizer.warmup_steps",
                     fmt::format("{} steps of warm-up leave nothing of the {} steps of the job "
                                 "(job.steps); use fewer",
                                 o.warmup_steps, c.job.steps)});
}

/// `who` steps by plain SGD in all tables; `key = off` does without it.
void check_plain_sgd(const job_config& c, const std::string& who, const std::string& key,
                     const std::string& off, std::vector<finding>& found) {
  if (c.optimizer.type != "sgd")
    found.push_back({key, fmt::format("{} by plain SGD, but optimizer.type is {}; set it to sgd, "
                                      "or {} = {}",
                                      who, c.optimizer.type, key, off)});
  for (const auto& own : c.optimizer.tables)
    if (own.rule != "sgd")
      found.push_back({"optimizer.tables",
                       fmt::format("{} by plain SGD, but the rule of table {} is {}; drop it, or "
                                   "set {} = {}",
                                   who, own.table, own.rule, key, off)});
}

/// What the threads of a worker push is the way that plain SGD went.
void check_threads(const job_config& c, std::vector<finding>& found) {
  const auto threads = c.job.threads;
  if (threads == 1) return;
  check_plain_sgd(c, fmt::format("{} lock-free threads step", threads), "job.threads", "1", found);
  if (c.optimizer.staleness_scaling != staleness_scaling::none)
    found.push_back({"optimizer.staleness_scaling",
                     fmt::format("cannot be with job.threads = {}: the threads must know by which "
                                 "rate the servers will go; set it to none",
                                 threads)});
  if (c.model.type != model_kind::softmax)
    found.push_back({"job.threads", fmt::format("{} lock-free threads train softmax regression "
                                                "only, but model.type is {}; set job.threads = 1",
                                                threads, to_string(c.model.type))});
  if (c.job.deterministic)
    found.push_back({"job.deterministic", fmt::format("cannot be with job.threads = {}: which "
                                                      "thread is first is chance",
                                                      threads)});
  if (!c.job.record.empty())
    found.push_back({"job.record", fmt::format("cannot be with job.threads = {}: which thread was "
                                               "first is not written down, so nobody could do the "
                                               "job again",
                                               threads)});
}

/// A snapshot's gradient is the sum of all pushes of an epoch, and each step's sum is corrected by
/// it.
void check_svrg(const job_config& c, std::vector<finding>& found) {
  const auto& j = c.job;
  if (j.svrg_epochs == 0) return;
  const auto refuse = [&](const std::string& why) { found.push_back({"job.svrg_epochs", why}); };
  check_plain_sgd(c, "SVRG steps", "job.svrg_epochs", "0", found);
  if (j.strategy != strategy::bsp)
    refuse(fmt::format("needs job.strategy = bsp, but it is {}", to_string(j.strategy)));
  if (j.backup_workers > 0)
    refuse(fmt::format("cannot be with job.backup_workers = {}: a snapshot needs the gradients of "
                       "all workers",
                       j.backup_workers));
  if (j.threads > 1)
    refuse(fmt::format("cannot be with job.threads = {}, which push no gradients; set one of the "
                       "two to its default",
                       j.threads));
  if (c.data.format == data_format::debian_packages || c.data.format == data_format::libsvm)
    refuse(fmt::format("needs dense data (csv, tsv, idx): a snapshot's gradient changes every "
                       "parameter in every step, but data.format is {}",
                       to_string(c.data.format)));
  if (j.epochs < 2)
    refuse("the only epoch (job.epochs = 1) would go into a snapshot, and nothing be trained; use "
           "at least 2");
}

} // namespace

std::vector<finding> check_job(const job_config& c) {
  std::vector<finding> found;
  check_data(c.data, found);
  if (c.model.type == model_kind::mlp && c.model.hidden.empty())
    found.push_back({"model.hidden", "required with model.type = mlp; give the widths of the "
                                     "hidden layers, as in 256,128"});
  check_optimizer(c, found);
  check_mesh(c, found);
  check_checkpoint(c, found);
  check_emulation(c, found);
  check_steps(c, found);
  check_threads(c, found);
  check_svrg(c, found);
  return found;
}

} // namespace gradmesh::config
