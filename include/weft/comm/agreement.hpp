// Agreement: before ranks begin they compare what they were asked for, and are rejected together where it
// differs.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/comm/world.hpp"
#include "weft/core/digest.hpp"
#include "weft/core/error.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

/// What a rank was asked for, in entries that say all that decides the result. Values are one line of text.
class Asked {
 public:
  /// `kind` is such as "request".
  explicit Asked(std::string kind) : kind_(std::move(kind)) {}

  void add(std::string_view name, std::string_view value = {}) {
    entries_.append(name).append("\t").append(value).append("\n");
  }
  void add(std::string_view name, std::integral auto value) { add_number(name, value); }
  void add(std::string_view name, std::floating_point auto value) { add_number(name, value); }

  /// Contents that are too long to be told.
  template <Digestible Contents>
  void add_contents(std::string_view name, const Contents& contents) {
    add(name, sentence(mark, digest_of(contents)));
  }

  const std::string& kind() const { return kind_; }
  std::string text() const { return kind_ + "\n" + entries_; }

  /// One sentence about the first entry in which the text of a rank differs from rank 0's.
  static std::string difference(std::string_view first, std::string_view other, int rank) {
    const std::string_view kind = first.substr(0, first.find('\n'));
    const std::string who = sentence("rank ", rank, " was asked for ");
    const std::string rule = sentence("; all ranks must be given the same ", kind);
    const Line theirs = next(other), ours = next(first);
    if (theirs.name != ours.name)
      return sentence(who, with_article(theirs.name), " and rank 0 for ", with_article(ours.name), rule);
    for (;;) {
      const Line a = next(other), b = next(first);
      if (a == b && !a.name.empty()) continue;
      if (a.name == b.name && b.value.starts_with(mark))
        return sentence(who, "another ", b.name, " than rank 0", rule);
      return sentence(who, told(a), " and rank 0 for ", told(b), rule);
    }
  }

 private:
  static constexpr const char* mark = "#";  // before digests

  struct Line {
    std::string_view name, value;

    friend bool operator==(const Line&, const Line&) = default;
  };

  static std::string told(const Line& line) {
    return sentence(line.name, line.value.empty() ? "" : " ", line.value);
  }

  static std::string with_article(std::string_view noun) {
    return sentence(std::string_view("aeiou").find(noun.front()) < 5 ? "an " : "a ", noun);
  }

  /// The first line, which is taken off the text.
  static Line next(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t end = std::min(line.find('\t'), line.size());
    return {line.substr(0, end), line.substr(std::min(end + 1, line.size()))};
  }

  /// In as few digits as tell it from every other number.
  void add_number(std::string_view name, auto value) {
    char digits[64];
    const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, value);
    add(name, std::string_view(digits, end));
  }

  std::string kind_, entries_;
};

/// A world whose other ranks are not there, so that what comes from them says nothing.
template <class W>
concept Rehearses = requires {
  requires W::is_rehearsal;
};

/// The comparing of one rank, which takes its memory once. What travels are bytes as float32 numbers, which
/// every backend brings to its device and back.
template <class Backend, World WorldType>
class Agreement {
 public:
  using Queue = typename Backend::Queue;

  /// Both must outlive it.
  Agreement(Queue& queue, WorldType& world)
      : queue_(queue), world_(world), heads_(queue, compares() ? world.size() * head_size : 0) {}

  /// All ranks call it together, and wait for each other. Throws the same InvalidArgument on all of them
  /// unless all were asked for the same, which `ask()` says; where there is nobody to compare with, nothing
  /// asks.
  template <class Ask>
  void check(const Ask& ask) {
    if (!compares()) return;
    const std::string text = ask().text();
    const std::vector<Head> heads = gathered({digest_of(std::string_view(text)), text.size()});
    Head differing{};  // {a rank, the length of its text}, or rank 0
    for (std::size_t rank = 1; rank < heads.size() && differing.front() == 0; ++rank)
      if (heads[rank] != heads.front()) differing = {rank, heads[rank].back()};
    differing = told_to_all(differing);
    if (differing.front() != 0 && !Rehearses<WorldType>) reject(sentence_for_all(text, differing));
  }

 private:
  /// Two numbers of 64 bits.
  using Head = std::array<std::uint64_t, 2>;
  static constexpr Index head_size = sizeof(Head);

  bool compares() const { return world_.size() > 1; }

  /// What rank 0 says about it to all.
  std::string sentence_for_all(const std::string& text, const Head& differing) {
    const auto rank = static_cast<int>(differing.front());
    std::string said = text;
    if (world_.rank() == 0 || world_.rank() == rank)
      said = sent(std::move(said), differing.back(), rank, {0});
    if (world_.rank() == 0) said = Asked::difference(text, said, rank);
    const Head length = told_to_all({0, said.size()});
    return sent(std::move(said), length.back(), 0, others(world_));
  }

  /// Of all ranks, on rank 0; elsewhere its own.
  std::vector<Head> gathered(const Head& own) {
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
    set_bytes(download(queue_, all), out.data());
    return out;
  }

  /// What rank 0 has.
  Head told_to_all(Head head) {
    const View<float, 1> numbers = heads_.view(std::array{Index{world_.size()}, head_size})[0];
    if (world_.rank() == 0) upload(queue_, numbers_of(&head, 1), numbers);
    spread(numbers, 0, others(world_));
    set_bytes(download(queue_, numbers), &head);
    return head;
  }

  /// The text of `from`, which sends it, on the ranks `to`, which receive that many bytes.
  std::string sent(std::string text, std::uint64_t length, int from, const std::vector<int>& to) {
    const typename Backend::template Buffer<float> buffer(queue_, static_cast<Index>(length));
    const View<float, 1> numbers = buffer.view(std::array{buffer.size()});
    if (world_.rank() == from) upload(queue_, numbers_of(text.data(), text.size()), numbers);
    spread(numbers, from, to);
    if (world_.rank() == from) return text;
    text.resize(length);
    set_bytes(download(queue_, numbers), text.data());
    return text;
  }

  void spread(const View<float, 1>& numbers, int from, const std::vector<int>& to) {
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

  /// One number a byte.
  template <class T>
  static Tensor numbers_of(const T* values, std::size_t count) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(values);
    Tensor out({static_cast<Index>(count * sizeof(T))});
    std::copy_n(bytes, out.data.size(), out.data.begin());
    return out;
  }
  template <class T>
  static void set_bytes(const Tensor& numbers, T* values) {
    std::transform(numbers.data.begin(), numbers.data.end(), reinterpret_cast<unsigned char*>(values),
                   [](float number) { return static_cast<unsigned char>(static_cast<int>(number)); });
  }

  Queue& queue_;
  WorldType& world_;
  typename Backend::template Buffer<float> heads_;  // (ranks, head_size)
};

}  // namespace weft
