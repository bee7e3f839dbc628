// DiT: the concept of a model. A model knows no policy: its context hides what is parallel.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "weft/backend/backend.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/core/grid.hpp"
#include "weft/core/image.hpp"
#include "weft/core/layout.hpp"

namespace weft::inline v0_1 {

/// The part of a job that one rank evaluates.
template <Grid G>
struct ShareOf {
  G image;                    // the state of one image or video
  Rows rows;                  // the tokens of the sequence
  std::vector<Range> blocks;  // the blocks
  Index images = 0;           // how many, as one batch
  Index prefix = 0;           // tokens of the sequence that stand before the image's
  Index text_tokens = 0;      // beside the sequence, of the request's longest prompt

  /// Returns the rows that hold tokens of the prefix: the first.
  Range prefix_rows() const { return rows.rows({0, rows.patches()}, {0, prefix}); }
};

using Share = ShareOf<ImageShape>;

/// The tokens that attend to each other.
enum class Among {
  sequence,  // all
  image,     // those that are not of the prefix
};

/// The context that embed, blocks and unembed are called with: an archetype, against which models are
/// checked. They are called with a context of another type too, whose queue is a counting::Queue: so a model
/// takes its queue as `auto& queue = context.queue()`, and lets operators alone read and write tokens.
template <class B>
struct AnyContext {
  typename B::Queue& queue();
  /// Returns memory for this call of embed, block or unembed alone, as much as it asks for: what it takes may
  /// depend on the extents of its arguments alone.
  Scratch<B>& scratch();
  /// Returns the rows that this call is for, as numbered by Share::rows.
  Range rows() const;
  /// Returns those of them that are tokens of the prefix: the first.
  Range prefix_rows() const;
  /// Returns the denoising step, an index into the times given to `condition`.
  Step step() const;
  /// Computes self-attention over the whole sequence, or over the image alone, on whichever ranks the tokens
  /// are: heads and out are of the tokens at hand that take part, out (tokens, images, heads, head_dim), in
  /// elements or as operands of linear layers in memory for elements. Projections of the heads run before
  /// anything is written to out, which may be where they read. A block asks for it as often as its BlockShape
  /// says.
  template <class Out>
  void attend(const HeadsOf<B>& heads, const View<Out, 4>& out, Among among = Among::sequence);
  /// Sums x (tokens, images, width), of which every rank that holds a slice of the block's matrices has
  /// computed its part: after a linear layer whose inputs are split.
  void reduce(const View<typename B::Element, 3>& x);
  /// Returns what one part of such a sum alone has, such as a residual: on the rank of the first slice `x`,
  /// and an empty view on others.
  View<const typename B::Element, 3> once(const View<const typename B::Element, 3>& x) const;
};

namespace detail {

// One concept a member, so that the error names the one that a model lacks.
template <class M>
concept ModelTypes = requires {
  typename M::Backend;
  typename M::Prompt;
  typename M::Conditioning;
};
template <class M>
concept HasShape = requires(const M& m) {
  { m.shape() } -> std::same_as<DitShape>;
};
template <class M>
concept HasCheck = requires(const M& m, const typename M::Prompt& prompt) {
  { m.check(prompt) } -> std::same_as<void>;
};

template <class M>
concept NamesGrid = requires {
  &M::grid;
};
template <class M>
concept HasGrid = requires(const M& m, const Extent& extent) {
  { m.grid(extent) } -> Grid;
};

template <class M>
struct GridOfModel {
  using Type = ImageShape;
};
template <HasGrid M>
struct GridOfModel<M> {
  using Type = decltype(std::declval<const M&>().grid(Extent{}));
};
template <class M>
using GridOf = typename GridOfModel<M>::Type;

template <class M>
concept ChecksImages = requires(const M& m, const GridOf<M>& image) {
  m.check(image);
};
template <class M>
concept RejectsImages = requires(const M& m, const GridOf<M>& image) {
  { m.check(image) } -> std::same_as<void>;
};
template <class M>
concept HasCondition = requires(const M& m, typename M::Backend::Queue& queue,
                                std::span<const typename M::Prompt> prompts, const Tensor& times,
                                const ShareOf<GridOf<M>>& share) {
  { m.condition(queue, prompts, times, share) } -> std::same_as<typename M::Conditioning>;
};
template <class M, class E = typename M::Backend::Element>
concept HasEmbed = requires(const M& m, AnyContext<typename M::Backend>& context,
                            const typename M::Conditioning& conditioning, View<const E, 3> latents,
                            View<E, 3> tokens) {
  { m.embed(context, conditioning, latents, tokens) } -> std::same_as<void>;
};
template <class M, class E = typename M::Backend::Element>
concept HasBlock = requires(const M& m, AnyContext<typename M::Backend>& context,
                            const typename M::Conditioning& conditioning, View<const E, 3> x, View<E, 3> out,
                            View<const E, 3> skip) {
  { m.block(Index{}, context, conditioning, x, skip, out) } -> std::same_as<void>;
};
template <class M, class E = typename M::Backend::Element>
concept HasUnembed = requires(const M& m, AnyContext<typename M::Backend>& context,
                              const typename M::Conditioning& conditioning, View<const E, 3> tokens,
                              View<float, 3> prediction) {
  { m.unembed(context, conditioning, tokens, prediction) } -> std::same_as<void>;
};

/// A model with a member of that name, of any form.
template <class M>
concept NamesRefill = requires {
  &M::refill;
};
template <class M>
concept HasRefill = requires(const M& m, typename M::Backend::Queue& queue,
                             std::span<const typename M::Prompt> prompts, const Tensor& times,
                             typename M::Conditioning& conditioning) {
  { m.refill(queue, prompts, times, conditioning) } -> std::same_as<void>;
};

template <class M>
concept NamesPrefix = requires {
  &M::prefix;
};
template <class M>
concept HasPrefix = requires(const M& m, const typename M::Prompt& prompt) {
  { m.prefix(prompt) } -> std::same_as<Index>;
};

template <class M>
concept NamesValidPrefix = requires {
  &M::valid_prefix;
};
template <class M>
concept HasValidPrefix = requires(const M& m, const typename M::Prompt& prompt) {
  { m.valid_prefix(prompt) } -> std::same_as<Index>;
};

template <class M>
concept NamesTextTokens = requires {
  &M::text_tokens;
};
template <class M>
concept HasTextTokens = requires(const M& m, const typename M::Prompt& prompt) {
  { m.text_tokens(prompt) } -> std::same_as<Index>;
};

template <class M>
concept NamesSlice = requires {
  &M::slice;
};
template <class M>
concept HasSlice = requires(const M& m) {
  { m.slice() } -> std::same_as<TensorSlice>;
};

template <class M>
concept NamesSlicedConstants = requires {
  &M::sliced_constants;
};
template <class M>
concept HasSlicedConstants = requires(const M& m, const typename M::Conditioning& conditioning) {
  { m.sliced_constants(conditioning) } -> std::same_as<std::vector<View<float, 2>>>;
};

template <class M>
concept NamesDigest = requires {
  &M::digest;
};
template <class M>
concept HasDigest = requires(const M& m) {
  { m.digest() } -> std::same_as<std::uint64_t>;
};

}  // namespace detail

/// A Diffusion Transformer. Its members are const and may be called by several threads at once: ranks that
/// are threads share one model, which must outlive their engines.
///
/// A model may have refill(queue, prompts, times, conditioning): it overwrites a conditioning that
/// `condition` returned for as many prompts and times with the one for these. Memory that operators read must
/// stay in place, and values that embed, block and unembed pass to operators must stay the same, so that work
/// recorded for one request can be replayed for the next of the same shape.
///
/// A model may have G grid(const Extent&), of a Grid G, such as one of videos: how a state of that size is
/// its tokens. It rejects sizes that do not fit. A model without generates images, and G is ImageShape.
/// `Share` is then ShareOf<G>.
///
/// A model may have void check(const G&), which rejects images that it cannot generate.
///
/// A model may have Index prefix(const Prompt&): how many tokens stand in the sequence before the image's,
/// such as those of the text in joint attention. They are split over ranks and patches like all others and go
/// through all blocks; `embed` makes them, and `unembed` does not see them. Prompts of one request must have
/// as many.
///
/// A model may have Index valid_prefix(const Prompt&) too: how many of these tokens, the first, are a
/// prompt's own. The others are padding, and no query of the sequence attends to their keys; they go through
/// the blocks all the same, and must stay finite.
///
/// A model may have Index text_tokens(const Prompt&): how many tokens of text a prompt has that stand beside
/// the sequence, for cross-attention. Share::text_tokens is the most of any prompt of the request, on all
/// ranks; requests with different ones are of different shapes.
///
/// A model may have TensorSlice slice(): which slice of its blocks' matrices it holds. `attend` is then given
/// the heads of that slice, and `reduce` sums what it computes. A model without holds them whole, and cannot
/// run on meshes with a tensor degree above 1. A model with may have
/// std::vector<View<float, 2>> sliced_constants(const Conditioning&): matrices (rows, features) of which
/// `condition` and `refill` compute the columns slice().of(features) alone. Other ranks send the others
/// before the first step.
///
/// A model may have std::uint64_t digest(): a hash of its settings and weights, the same on ranks that hold
/// different blocks of one model. Engines of several ranks reject models whose digests differ, and prompts
/// that differ too if Prompt is Digestible.
template <class M>
concept DiT =
    detail::ModelTypes<M> && Backend<typename M::Backend> && detail::HasShape<M> && detail::HasCheck<M> &&
    detail::HasCondition<M> && detail::HasEmbed<M> && detail::HasBlock<M> && detail::HasUnembed<M>;

namespace detail {

/// Fails to compile with one sentence for each member that is missing.
template <class M>
constexpr bool explain_dit() {
  static_assert(ModelTypes<M>, "weft: give the model the member types Backend, Prompt and Conditioning");
  static_assert(HasShape<M>, "weft: give the model a member DitShape shape() const");
  static_assert(HasCheck<M>,
                "weft: give the model a member void check(const Prompt&) const, which rejects unfit prompts");
  static_assert(
      HasCondition<M>,
      "weft: give the model a member Conditioning condition(Queue&, span<const Prompt>, const Tensor& "
      "times, const Share&) const");
  static_assert(
      HasEmbed<M>,
      "weft: give the model a member void embed(auto& context, const Conditioning&, View<const Element, 3> "
      "latents, View<Element, 3> tokens) const");
  static_assert(
      HasBlock<M>,
      "weft: give the model a member void block(Index i, auto& context, const Conditioning&, View<const "
      "Element, 3> x, View<const Element, 3> skip, View<Element, 3> out) const");
  static_assert(
      HasUnembed<M>,
      "weft: give the model a member void unembed(auto& context, const Conditioning&, View<const Element, "
      "3> tokens, View<float, 3> prediction) const");
  static_assert(!NamesGrid<M> || HasGrid<M>,
                "weft: give the model's member grid the form G grid(const Extent&) const, where G is a "
                "weft::Grid, or leave it out");
  static_assert(!ChecksImages<M> || RejectsImages<M>,
                "weft: give the model's check of images the form void check(const ImageShape&) const, which "
                "rejects those that it cannot generate, or leave it out");
  static_assert(
      !NamesRefill<M> || HasRefill<M>,
      "weft: give the model's member refill the form void refill(Queue&, span<const Prompt>, const Tensor& "
      "times, Conditioning&) const, or leave it out");
  static_assert(
      !NamesPrefix<M> || HasPrefix<M>,
      "weft: give the model's member prefix the form Index prefix(const Prompt&) const, or leave it out");
  static_assert(
      !NamesValidPrefix<M> || (HasValidPrefix<M> && HasPrefix<M>),
      "weft: give the model's member valid_prefix the form Index valid_prefix(const Prompt&) const, "
      "beside prefix, or leave it out");
  static_assert(!NamesTextTokens<M> || HasTextTokens<M>,
                "weft: give the model's member text_tokens the form Index text_tokens(const Prompt&) const, "
                "or leave it out");
  static_assert(!NamesSlice<M> || HasSlice<M>,
                "weft: give the model's member slice the form TensorSlice slice() const, or leave it out");
  static_assert(!NamesSlicedConstants<M> || (HasSlicedConstants<M> && HasSlice<M>),
                "weft: give the model's member sliced_constants the form std::vector<View<float, 2>> "
                "sliced_constants(const Conditioning&) const, beside slice, or leave it out");
  static_assert(
      !NamesDigest<M> || HasDigest<M>,
      "weft: give the model's member digest the form std::uint64_t digest() const, or leave it out");
  static_assert(Backend<typename M::Backend>,
                "weft: the model's Backend is none; take weft::Host, or give yours every operator of "
                "weft/backend/backend.hpp");
  return DiT<M>;
}

/// Throws InvalidArgument if the model has a check of images and rejects this one.
template <class M>
void check_image(const M& model, const GridOf<M>& image) {
  if constexpr (ChecksImages<M>) model.check(image);
}

/// Returns how many tokens stand before an image's.
template <class M>
Index prefix_of(const M& model, const typename M::Prompt& prompt) {
  if constexpr (HasPrefix<M>) return model.prefix(prompt);
  return 0;
}

/// Returns how many of them are no padding.
template <class M>
Index valid_prefix_of(const M& model, const typename M::Prompt& prompt) {
  if constexpr (HasValidPrefix<M>) return model.valid_prefix(prompt);
  return prefix_of(model, prompt);
}

/// Returns how many tokens of text stand beside the sequence.
template <class M>
Index text_tokens_of(const M& model, const typename M::Prompt& prompt) {
  if constexpr (HasTextTokens<M>) return model.text_tokens(prompt);
  return 0;
}

/// Returns which slice of its blocks' matrices a model holds.
template <class M>
TensorSlice slice_of(const M& model) {
  if constexpr (HasSlice<M>) return model.slice();
  return {};
}

}  // namespace detail

}  // namespace weft::inline v0_1
