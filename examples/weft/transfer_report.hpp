// What `bench` says of the transfers between ranks.
#pragma once

#include "weft/comm/mesh.hpp"

namespace command {

/// Calls of communicators that policies make, each with its waiting.
enum class TransferKind {
  send,          // to the next rank and from the one before
  strided_send,  // the same, of half of the heads of every row
  all_to_all,    // such rows to all others
  all_gather,
  stores,  // by a kernel into all others' memory, between two barriers
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

/// How long a transfer took in all groups of an axis at once, on rank 0.
struct TransferReport {
  weft::Mesh mesh;
  weft::Axis axis = weft::Axis::data;
  TransferKind kind = TransferKind::send;
  weft::Index bytes = 0;  // that a rank sends
  double seconds = 0;
};

}  // namespace command
