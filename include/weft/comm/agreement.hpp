// Agreement: compares the inputs of all ranks before they begin, and rejects them on every rank where they
// differ.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/comm/world.hpp"
#include "weft/core/digest.hpp"
#include "weft/core/error.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// A rank's input as text, one line for each setting that determines the result.
class InputSummary {
 public:
  /// `kind` says what is summarized, such as "request".
  explicit InputSummary(std::string kind) : kind_(std::move(kind)) {}
  /// Makes that of a rank that has no more work.
  static InputSummary end() { return InputSummary(end_kind); }

  /// Adds an entry; its value is one line.
  void add(std::string_view name, std::string_view value = {}) {
    entries_.append(name).append("\t").append(value).append("\n");
  }
  void add(std::string_view name, std::integral auto value) { add_number(name, value); }
  void add(std::string_view name, std::floating_point auto value) { add_number(name, value); }

  /// Adds a digest of contents that are too long for a sentence.
  template <Digestible Contents>
  void add_contents(std::string_view name, const Contents& contents) {
    add(name, sentence(mark, digest_of(contents)));
  }

  const std::string& kind() const { return kind_; }
  std::string text() const { return kind_ + "\n" + entries_; }

  /// Returns a sentence about the first entry in which a rank's text, `other`, differs from rank 0's.
  [[nodiscard]] static std::string difference(std::string_view first, std::string_view other, int rank) {
    const std::string_view kind = first.substr(0, first.find('\n'));
    const std::string who = sentence("rank ", rank, " was asked for ");
    const std::string rule = sentence("; all ranks must be given the same ", kind);
    const Entry other_kind = next(other), first_kind = next(first);
    if (other_kind.name == end_kind || first_kind.name == end_kind) {
      const bool has_other_ended = other_kind.name == end_kind;
      return sentence("rank ", has_other_ended ? rank : 0, " has ended, and rank ",
                      has_other_ended ? 0 : rank, " asks for ",
                      with_article(has_other_ended ? first_kind.name : other_kind.name),
                      "; all ranks must ask for as many");
    }
    if (other_kind.name != first_kind.name)
      return sentence(who, with_article(other_kind.name), " and rank 0 for ", with_article(first_kind.name),
                      rule);
    for (;;) {
      const Entry a = next(other), b = next(first);
      if (a == b && !a.name.empty()) continue;
      if (a.name == b.name && b.value.starts_with(mark))
        return sentence(who, "another ", b.name, " than rank 0", rule);
      return sentence(who, words(a), " and rank 0 for ", words(b), rule);
    }
  }

 private:
  static constexpr const char *mark = "#",  // at the front of digests
      *end_kind = "end";

  struct Entry {
    std::string_view name, value;

    friend bool operator==(const Entry&, const Entry&) = default;
  };

  static std::string words(const Entry& entry) {
    return sentence(entry.name, entry.value.empty() ? "" : " ", entry.value);
  }

  static std::string with_article(std::string_view noun) {
    return sentence(std::string_view("aeiou").find(noun.front()) < 5 ? "an " : "a ", noun);
  }

  /// Removes the first line from the text and returns it.
  static Entry next(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t end = std::min(line.find('\t'), line.size());
    return {line.substr(0, end), line.substr(std::min(end + 1, line.size()))};
  }

  /// Adds a number in its shortest form that distinguishes it from every other.
  void add_number(std::string_view name, auto value) {
    char digits[64];
    const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, value);
    add(name, std::string_view(digits, end));
  }

  std::string kind_, entries_;
};

/// A world without its other ranks, so that values received from them are meaningless.
template <class W>
concept Rehearses = requires {
  requires W::is_rehearsal;
};

/// Compares one rank's inputs with those of the others, in memory that is allocated once. Text is sent as one
/// float32 number a byte, which every backend can upload and download.
template <class Backend, World WorldType>
class Agreement {
 public:
  using Queue = typename Backend::Queue;

  /// The queue and the world must outlive it.
  Agreement(Queue& queue, WorldType& world)
      : queue_(queue), world_(world), heads_(queue, compares() ? world.size() * head_size : 0) {}

  /// Throws the same InvalidArgument on all ranks unless their summaries, which `summarize()` returns, are
  /// equal. All ranks call it together and wait for each other. In a world of one rank `summarize` is not
  /// called.
  template <class Summarize>
  void check(const Summarize& summarize) {
    if (!compares()) return;
    const std::string text = summarize().text();
    const std::vector<Head> heads = gather({digest_of(std::string_view(text)), text.size()});
    Head differing{};  // {a rank, the length of its text}, or rank 0
    for (std::size_t rank = 1; rank < heads.size() && differing.front() == 0; ++rank)
      if (heads[rank] != heads.front()) differing = {rank, heads[rank].back()};
    differing = broadcast(differing);
    if (differing.front() != 0 && !Rehearses<WorldType>) reject(broadcast_difference(text, differing));
  }

  /// Two numbers of a rank.
  using Pair = std::array<std::uint64_t, 2>;

  /// Returns on all ranks the numbers of every rank, in the ranks' order. All ranks call it together.
  [[nodiscard]] std::vector<Pair> all(const Pair& own) {
    if (!compares()) return {own};
    static_cast<void>(gather(own));
    const View<float, 1> numbers = heads_.view(std::array{world_.size() * head_size});
    send(numbers, 0, others(world_));
    std::vector<Pair> out(static_cast<std::size_t>(world_.size()));
    set_bytes(download(queue_, numbers), std::span<Pair>(out));
    return out;
  }

  /// Returns on all ranks whether any rank says so. All ranks call it together and wait for each other.
  [[nodiscard]] bool any(bool own) {
    if (!compares()) return own;
    const std::vector<Head> heads = gather({own, 0});
    return broadcast({std::ranges::any_of(heads, [](const Head& head) { return head.front() != 0; }), 0})
               .front() != 0;
  }

 private:
  /// A digest and a length, or a rank and a length.
  using Head = Pair;
  static constexpr Index head_size = sizeof(Head);

  bool compares() const { return world_.size() > 1; }

  /// Returns on all ranks the sentence that rank 0 makes about a rank's difference.
  std::string broadcast_difference(const std::string& text, const Head& differing) {
    const auto rank = static_cast<int>(differing.front());
    std::string out = text;
    if (world_.rank() == 0 || world_.rank() == rank)
      out = send_text(std::move(out), differing.back(), rank, {0});
    if (world_.rank() == 0) out = InputSummary::difference(text, out, rank);
    const Head length = broadcast({0, out.size()});
    return send_text(std::move(out), length.back(), 0, others(world_));
  }

  /// Returns the heads of all ranks on rank 0; its own on any other rank.
  std::vector<Head> gather(const Head& own) {
    const View<float, 2> all = heads_.view(std::array{Index{world_.size()}, head_size});
    upload(queue_, numbers_of(&own, 1), all[0]);
    std::vector<Addressed> sends, receives;
    if (world_.rank() == 0) {
      for (const int peer : others(world_)) receives.push_back({peer, all[peer]});
    } else {
      sends.push_back({0, all[0]});
    }
    exchange(sends, receives);
    if (world_.rank() != 0) return {own};
    std::vector<Head> out(static_cast<std::size_t>(world_.size()));
    set_bytes(download(queue_, all), std::span<Head>(out));
    return out;
  }

  /// Returns rank 0's head on all ranks.
  Head broadcast(Head head) {
    const View<float, 1> numbers = heads_.view(std::array{Index{world_.size()}, head_size})[0];
    if (world_.rank() == 0) upload(queue_, numbers_of(&head, 1), numbers);
    send(numbers, 0, others(world_));
    set_bytes(download(queue_, numbers), std::span<Head>(&head, 1));
    return head;
  }

  /// Sends a text of `length` bytes from rank `from` to the ranks `to`, and returns it on all of them.
  std::string send_text(std::string text, std::uint64_t length, int from, const std::vector<int>& to) {
    const typename Backend::template Buffer<float> buffer(queue_, static_cast<Index>(length));
    const View<float, 1> numbers = buffer.view(std::array{buffer.size()});
    if (world_.rank() == from) upload(queue_, numbers_of(text.data(), text.size()), numbers);
    send(numbers, from, to);
    if (world_.rank() == from) return text;
    text.resize(length);
    set_bytes(download(queue_, numbers), std::span<char>(text));
    return text;
  }

  void send(const View<float, 1>& numbers, int from, const std::vector<int>& to) {
    std::vector<Addressed> sends, receives;
    if (world_.rank() == from) {
      for (const int peer : to) sends.push_back({peer, numbers});
    } else {
      receives.push_back({from, numbers});
    }
    exchange(sends, receives);
  }

  void exchange(const std::vector<Addressed>& sends, const std::vector<Addressed>& receives) {
    auto event = world_.all_to_all(queue_, sends, receives);
    world_.wait(queue_, event);
  }

  /// Returns the bytes of the values, one number each.
  template <class T>
  static Tensor numbers_of(const T* values, std::size_t count) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(values);
    Tensor out({static_cast<Index>(count * sizeof(T))});
    std::copy_n(bytes, out.data.size(), out.data.begin());
    return out;
  }
  /// Sets the bytes of the values to numbers of them all.
  template <class T>
  static void set_bytes(const Tensor& numbers, std::span<T> values) {
    const std::span<std::byte> bytes = std::as_writable_bytes(values);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(static_cast<int>(numbers.data[i]));
  }

  Queue& queue_;
  WorldType& world_;
  typename Backend::template Buffer<float> heads_;  // (ranks, head_size)
};

/// Ends a rank's work in a world: throws InvalidArgument, on all ranks, if another rank asks for more, for
/// which it would wait in vain. All ranks call it together.
template <class Backend, World WorldType>
void end_together(WorldType& world) {
  typename Backend::Queue queue;
  Agreement<Backend, WorldType>(queue, world).check(&InputSummary::end);
}

}  // namespace weft::inline v0_1
