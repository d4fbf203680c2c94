#include "actors/data_server/batch_message.hpp"

#include "actors/job/batch_body.hpp"

namespace gradmesh::data_server {

mesh::draft<schema::Batch> batch_message(const batch_choice& choice,
                                         const learning::dataset& examples) {
  mesh::draft<schema::Batch> batch;
  batch->setEpoch(choice.epoch);
  batch->setStep(choice.step);
  batch->setStepExamples(choice.step_examples);
  batch->setFirstPiece(choice.first_piece);
  auto ends = batch->initPieceEnds(static_cast<unsigned>(choice.piece_ends.size()));
  for (unsigned i = 0; i < ends.size(); ++i)
    ends.set(i, choice.piece_ends[i]);
  job::fill_batch(examples, choice.examples, batch);
  return batch;
}

} // namespace gradmesh::data_server
