// Loader: fills weights on a device. Several threads copy from mapped files to pinned memory, from where the
// bytes are uploaded as they are, and converted on the device.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/core/numbers.hpp"
#include "weft/core/share_out.hpp"
#include "weft/core/spans.hpp"
#include "weft/weights.cuh"

namespace weft::inline v0_1::cuda {

/// The stream of one thread, with two pinned buffers for pieces of a file: while one is uploaded, the next is
/// filled.
class Conveyor {
 public:
  static constexpr Index piece_bytes = 4 << 20;

  explicit Conveyor(int device) {
    check(cudaSetDevice(device), "choosing the device");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
    check(cudaMalloc(&on_device_, piece_bytes), "taking memory on the device");
    for (Piece& piece : pieces_) {
      check(cudaMallocHost(&piece.pinned, piece_bytes), "taking pinned memory");
      check(cudaEventCreateWithFlags(&piece.gone, cudaEventDisableTiming), "creating an event");
    }
  }
  Conveyor(const Conveyor&) = delete;
  Conveyor& operator=(const Conveyor&) = delete;
  ~Conveyor() {
    cudaStreamSynchronize(stream_);
    for (const Piece& piece : pieces_) {
      cudaEventDestroy(piece.gone);
      cudaFreeHost(piece.pinned);
    }
    cudaFree(on_device_);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t stream() const { return stream_; }
  void synchronize() { check(cudaStreamSynchronize(stream_), "loading weights"); }

  /// Uploads bytes; returns where they are on the device, for what is queued on the stream before the next
  /// call.
  const void* carry(std::span<const std::byte> bytes) {
    const Piece& piece = pieces_[turn_++ % pieces_.size()];
    check(cudaEventSynchronize(piece.gone), "loading weights");
    std::memcpy(piece.pinned, bytes.data(), bytes.size());
    check(cudaMemcpyAsync(on_device_, piece.pinned, bytes.size(), cudaMemcpyHostToDevice, stream_),
          "copying weights to the device");
    check(cudaEventRecord(piece.gone, stream_), "copying weights to the device");
    return on_device_;
  }

 private:
  struct Piece {
    void* pinned = nullptr;
    cudaEvent_t gone = nullptr;
  };

  cudaStream_t stream_ = nullptr;
  void* on_device_ = nullptr;
  std::array<Piece, 2> pieces_;
  std::size_t turn_ = 0;
};

/// Fills from files are deferred to `finish`. The queue must outlive the loader.
class Loader {
 public:
  explicit Loader(Queue& queue) : queue_(queue) {}

  /// Fills a view with numbers in row-major order, or with those of a part of their matrix; numbers of a file
  /// must be as many, or as the part's last row needs, and stay mapped until `finish`.
  template <class Numbers, class T>
  void fill(const Numbers& numbers, const View<T, 3>& to) {
    fill(numbers, to, {.pitch = to.extent[2]});
  }
  template <class T>
  void fill(const StoredNumbers& numbers, const View<T, 3>& to, const MatrixPart& part) {
    if (part.pitch != to.extent[2]) return fill_rows(numbers, to, part);
    const auto offset = static_cast<std::size_t>(part.first) * size_of(numbers.dtype);
    fill_all({numbers.dtype, numbers.bytes.subspan(offset)}, to);
  }
  /// Products are added on the host.
  template <class T>
  void fill(const MergedNumbers& numbers, const View<T, 3>& to, const MatrixPart& part) {
    if (numbers.added.empty()) return fill(numbers.stored, to, part);
    add_pieces(to, sizeof(float), [numbers, to, part](Conveyor& conveyor, Range rows) {
      const Index width = to.extent[2];
      std::vector<float> piece(static_cast<std::size_t>(rows.size() * width));
      for (Index row = rows.begin; row < rows.end; ++row)
        numbers.copy(part.row(row), width, piece.data() + (row - rows.begin) * width);
      kernels::unpack(conveyor.stream(), Dtype::f32, conveyor.carry(weft::bytes_of(piece)),
                      rows.size() * width, rows.begin * width, to);
    });
  }
  template <class T>
  void fill(const RandomNumbers& numbers, const View<T, 3>& to, const MatrixPart& part) {
    kernels::for_each_number(queue_.stream(), to.extent[0] * to.extent[1], to.extent[2],
                             kernels::Draw<T>{numbers, part, to});
  }

  /// Waits until all that was to be filled is.
  void finish() {
    constexpr int threads = 8;
    int device = 0;
    check(cudaGetDevice(&device), "asking for the current device");
    queue_.synchronize();  // what is being filled may still be being zeroed
    share_out(static_cast<Index>(fills_.size()), threads, [this, device](const auto& next) {
      Conveyor conveyor(device);
      while (const auto i = next()) fills_[static_cast<std::size_t>(*i)](conveyor);
      conveyor.synchronize();
    });
    fills_.clear();
  }

 private:
  /// Fills a view with numbers that follow each other, in pieces of any length.
  template <class T>
  void fill_all(const StoredNumbers& numbers, const View<T, 3>& to) {
    const auto size = static_cast<Index>(size_of(numbers.dtype)), most = Conveyor::piece_bytes / size;
    for (Index first = 0; first < to.size(); first += most) {
      const Index count = std::min(most, to.size() - first);
      fills_.push_back([numbers, size, to, first, count](Conveyor& conveyor) {
        const auto piece = numbers.bytes.subspan(static_cast<std::size_t>(first * size),
                                                 static_cast<std::size_t>(count * size));
        kernels::unpack(conveyor.stream(), numbers.dtype, conveyor.carry(piece), count, first, to);
      });
    }
  }

  /// Fills a view with rows that lie apart, gathered on the host.
  template <class T>
  void fill_rows(const StoredNumbers& numbers, const View<T, 3>& to, const MatrixPart& part) {
    const auto size = static_cast<Index>(size_of(numbers.dtype));
    add_pieces(to, size, [numbers, size, to, part](Conveyor& conveyor, Range rows) {
      const Index width = to.extent[2];
      std::vector<std::byte> piece(static_cast<std::size_t>(rows.size() * width * size));
      for (Index row = rows.begin; row < rows.end; ++row)
        std::memcpy(piece.data() + (row - rows.begin) * width * size,
                    numbers.bytes.data() + part.row(row) * size, static_cast<std::size_t>(width * size));
      kernels::unpack(conveyor.stream(), numbers.dtype, conveyor.carry(piece), rows.size() * width,
                      rows.begin * width, to);
    });
  }

  /// Adds fills that call body(conveyor, rows) for pieces of whole rows, of numbers of so many bytes.
  template <class T, class Body>
  void add_pieces(const View<T, 3>& to, Index size, const Body& body) {
    const Index all = to.extent[0] * to.extent[1];
    const Index most = std::max<Index>(Conveyor::piece_bytes / (size * std::max<Index>(to.extent[2], 1)), 1);
    for (Index first = 0; first < all; first += most)
      fills_.push_back([body, rows = Range{first, std::min(first + most, all)}](Conveyor& conveyor) {
        body(conveyor, rows);
      });
  }

  Queue& queue_;
  std::vector<std::function<void(Conveyor&)>> fills_;
};

}  // namespace weft::inline v0_1::cuda
