// Blocks of joint attention: text and image have layers of their own and attend to all of both.
// Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis", 2024.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "weft/model/dit.hpp"
#include "weft/model/joint/sizes.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/modulations.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1::joint {

/// A layer of modulations, of which a rank may hold some outputs.
template <class Backend>
struct ModulationLayer {
  LinearWeights<typename Backend::Element> layer{};
  Index outputs = 0;  // on all ranks
  Range held{};

  /// Places "name.weight" and "name.bias".
  template <class Loader>
  static ModulationLayer place(Loader& loader, const std::string& name, Index outputs, Index inputs) {
    const Range held = loader.slice().of(outputs);
    return {loader.linear({name}, Features(outputs, held), inputs), outputs, held};
  }
};

/// The layers of one kind of tokens.
template <class Backend>
struct Stream {
  ModulationLayer<Backend> modulation;
  BlockLinear<Backend> qkv, out, up, down;
  NormWeights q_norm{}, k_norm{};
};

/// An attention among the image alone.
template <class Backend>
struct ImageAttention {
  BlockLinear<Backend> qkv, out;
  NormWeights q_norm{}, k_norm{};
};

template <class Backend>
struct Block {
  BlockKind kind;
  Stream<Backend> image, text;
  ImageAttention<Backend> alone;  // of a dual block
};

/// Places the weights of a block by diffusers' names of JointTransformerBlock and FluxTransformerBlock.
template <class Backend, class Loader>
Block<Backend> place_block(Loader& loader, const std::string& name, const DitShape& model,
                           bool has_head_norms, const BlockKind& kind) {
  const Index c = model.width;
  const Features heads = Features::of_heads(model, loader.slice()),
                 hidden = Features::hidden(model, loader.slice());
  const auto head_norm = [&loader, &model, has_head_norms, &name](const std::string& norm) {
    return has_head_norms ? loader.rms_norm(name + norm, model.head_dim) : NormWeights{};
  };
  Block<Backend> out;
  out.kind = kind;
  out.image = {
      .modulation =
          ModulationLayer<Backend>::place(loader, name + "norm1.linear", image_vectors(kind) * c, c),
      .qkv = loader.block_linear({name + "attn.to_q", name + "attn.to_k", name + "attn.to_v"}, heads, c),
      .out = loader.block_linear({name + "attn.to_out.0"}, c, heads),
      .up = loader.block_linear({name + "ff.net.0.proj"}, hidden, c),
      .down = loader.block_linear({name + "ff.net.2"}, c, hidden),
      .q_norm = head_norm("attn.norm_q"),
      .k_norm = head_norm("attn.norm_k")};
  out.text.modulation =
      ModulationLayer<Backend>::place(loader, name + "norm1_context.linear", text_vectors(kind) * c, c);
  out.text.qkv = loader.block_linear(
      {name + "attn.add_q_proj", name + "attn.add_k_proj", name + "attn.add_v_proj"}, heads, c);
  out.text.q_norm = head_norm("attn.norm_added_q");
  out.text.k_norm = head_norm("attn.norm_added_k");
  if (!kind.drops_text) {
    out.text.out = loader.block_linear({name + "attn.to_add_out"}, c, heads);
    out.text.up = loader.block_linear({name + "ff_context.net.0.proj"}, hidden, c);
    out.text.down = loader.block_linear({name + "ff_context.net.2"}, c, hidden);
  }
  if (kind.is_dual)
    out.alone = {
        .qkv = loader.block_linear({name + "attn2.to_q", name + "attn2.to_k", name + "attn2.to_v"}, heads, c),
        .out = loader.block_linear({name + "attn2.to_out.0"}, c, heads),
        .q_norm = head_norm("attn2.norm_q"),
        .k_norm = head_norm("attn2.norm_k")};
  return out;
}

/// Modulates a block's text and image: slots of Modulations.
struct BlockSlots {
  Index image, text;
};

/// A block's work on the tokens at hand.
template <class Backend, class Context>
class BlockRun {
 public:
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;

  /// x → out, both (tokens, images, width), which may be the same memory; `rotation` is of the tokens at
  /// hand.
  BlockRun(Context& context, const Block<Backend>& weights, Index head_dim,
           const Modulations<Backend>& modulations, const BlockSlots& slots, const Rotation& rotation,
           const View<const Element, 3>& x, const View<Element, 3>& out)
      : context_(context),
        w_(weights),
        head_dim_(head_dim),
        heads_(weights.image.qkv.outputs() / 3),
        hidden_(weights.image.up.outputs()),
        modulations_(modulations),
        slots_(slots),
        rotation_(rotation),
        x_(x),
        out_(out),
        text_{0, context.prefix_rows().size()},
        image_{text_.end, x.extent[0]},
        narrow_(context.scratch().take(x.extent)),
        wide_(context.scratch()
                  .take(std::array{x.extent[0] * x.extent[1] * std::max(3 * heads_, hidden_)})
                  .data) {}

  void operator()() {
    View<Operand, 3> alone;
    if (w_.kind.is_dual) alone = attend_alone();
    attend_jointly();
    if (w_.kind.is_dual && !image_.empty())
      add(image_, alone, w_.alone.out, modulations_.gate(slots_.image, 8, context_.step()),
          rows(out_, image_));
    context_.reduce(changed());
    feed_forward(image_, w_.image, slots_.image);
    if (!w_.kind.drops_text) feed_forward(text_, w_.text, slots_.text);
    context_.reduce(changed());
  }

 private:
  template <class T>
  static View<T, 3> rows(const View<T, 3>& x, Range range) {
    return x.template slice<0>(range);
  }
  /// Returns the rows of the output that this block computes.
  View<Element, 3> changed() const { return w_.kind.drops_text ? rows(out_, image_) : out_; }
  View<Element, 3> wide(Index features) const { return {wide_, {x_.extent[0], x_.extent[1], features}}; }
  /// Returns queries (0), keys (1) or values (2): (tokens, images, heads, head_dim).
  View<Element, 4> heads(Index part, Range range) const {
    return rows(wide(3 * heads_), range)
        .template slice<2>({part * heads_, (part + 1) * heads_})
        .unfold(head_dim_);
  }
  static const NormWeights* given(const NormWeights& norm) { return norm.scale.empty() ? nullptr : &norm; }

  /// Norms rows of x, and returns the layer by which attention computes their heads from them.
  HeadProjection<Element, Operand> normed_projection(Range range, const Modulation& modulation,
                                                     const BlockLinear<Backend>& layer) {
    if (range.empty()) return {};
    const View<Operand, 3> normed = as_operands<Operand>(rows(narrow_, range));
    norm(context_.queue(), rows(x_, range), {}, modulation, normed);
    return {rows_of(normed), layer, rows_of(rows(wide(3 * heads_), range))};
  }

  /// Computes out = residual + gate · layer(attended).
  void add(Range range, const View<Operand, 3>& attended, const BlockLinear<Backend>& layer, const Gate& gate,
           const View<const Element, 3>& residual) {
    linear(context_.queue(), rows_of(rows(attended, range)), layer, rows_of(rows(out_, range)),
           {.residual = rows_of(residual), .gate = gate});
  }

  /// Computes the image's second attention, of x, which is still whole.
  View<Operand, 3> attend_alone() {
    const View<Element, 3> memory = context_.scratch().take(std::array{x_.extent[0], x_.extent[1], heads_});
    const View<Operand, 3> attended = as_operands<Operand>(memory);
    const Modulation modulation = modulations_.modulation(slots_.image, 6, 7, context_.step());
    context_.attend({.q = heads(0, image_),
                     .k = heads(1, image_),
                     .v = heads(2, image_),
                     .q_norm = given(w_.alone.q_norm),
                     .k_norm = given(w_.alone.k_norm),
                     .rotation = rotation_.rows(image_),
                     .projection = normed_projection(image_, modulation, w_.alone.qkv)},
                    rows(attended, image_).unfold(head_dim_), Among::image);
    return attended;
  }

  void attend_jointly() {
    const Step step = context_.step();
    const View<Operand, 3> attended = as_operands<Operand>(narrow_).template slice<2>({0, heads_});
    const Modulation of_image = modulations_.modulation(slots_.image, 0, 1, step);
    // A block that drops its text has (scale, shift) alone, in this order.
    const Modulation of_text = w_.kind.drops_text ? modulations_.modulation(slots_.text, 1, 0, step)
                                                  : modulations_.modulation(slots_.text, 0, 1, step);
    const Range all{0, x_.extent[0]};
    context_.attend({.q = heads(0, all),
                     .k = heads(1, all),
                     .v = heads(2, all),
                     .q_norm = given(w_.image.q_norm),
                     .k_norm = given(w_.image.k_norm),
                     .rotation = rotation_,
                     .prefix = text_.size(),
                     .prefix_q_norm = given(w_.text.q_norm),
                     .prefix_k_norm = given(w_.text.k_norm),
                     .projection = normed_projection(image_, of_image, w_.image.qkv),
                     .prefix_projection = normed_projection(text_, of_text, w_.text.qkv)},
                    attended.unfold(head_dim_));
    if (!image_.empty())
      add(image_, attended, w_.image.out, modulations_.gate(slots_.image, 2, step),
          context_.once(rows(x_, image_)));
    if (!text_.empty() && !w_.kind.drops_text)
      add(text_, attended, w_.text.out, modulations_.gate(slots_.text, 2, step),
          context_.once(rows(x_, text_)));
  }

  void feed_forward(Range range, const Stream<Backend>& stream, Index slot) {
    if (range.empty()) return;
    auto& queue = context_.queue();
    const View<Element, 3> out = rows(out_, range);
    const View<Operand, 3> normed = as_operands<Operand>(rows(narrow_, range));
    const View<Operand, 3> hidden = as_operands<Operand>(rows(wide(hidden_), range));
    norm(queue, out, {}, modulations_.modulation(slot, 3, 4, context_.step()), normed);
    linear(queue, rows_of(normed), stream.up, rows_of(hidden), {.activation = Activation::gelu_tanh});
    linear(queue, rows_of(hidden), stream.down, rows_of(out),
           {.residual = rows_of(context_.once(out)), .gate = modulations_.gate(slot, 5, context_.step())});
  }

  Context& context_;
  const Block<Backend>& w_;
  Index head_dim_, heads_, hidden_;  // features of a head; of all that are here, and hidden ones
  const Modulations<Backend>& modulations_;
  BlockSlots slots_;
  Rotation rotation_;
  View<const Element, 3> x_;
  View<Element, 3> out_;
  Range text_, image_;       // rows at hand
  View<Element, 3> narrow_;  // (tokens, images, width)
  Element* wide_;
};

}  // namespace weft::inline v0_1::joint
