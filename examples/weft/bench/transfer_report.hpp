// Times of the transfers between ranks.
#pragma once

#include "weft/comm/mesh.hpp"

namespace command {

/// Kinds of calls that policies make of communicators, each up to its completion.
enum class TransferKind {
  send,          // to the next rank, and from the previous one
  strided_send,  // the same, with half of the heads of every row
  all_to_all,    // strided rows, to all other ranks
  all_gather,
  stores,  // by a kernel into the memory of all other ranks, then a barrier
  barrier,
};

constexpr const char* name_of(TransferKind kind) {
  switch (kind) {
    case TransferKind::send:
      return "send and receive, dense";
    case TransferKind::strided_send:
      return "send and receive, strided";
    case TransferKind::all_to_all:
      return "all-to-all, strided";
    case TransferKind::all_gather:
      return "all-gather";
    case TransferKind::stores:
      return "stores of a kernel";
    default:
      return "barrier";
  }
}

/// The time of a transfer in all groups of an axis at once, on rank 0.
struct TransferReport {
  weft::Mesh mesh;
  weft::Axis axis = weft::Axis::data;
  TransferKind kind = TransferKind::send;
  weft::Index bytes = 0;  // sent by a rank
  double seconds = 0;
};

}  // namespace command
