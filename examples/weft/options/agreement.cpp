#include "agreement.hpp"

#include <string>
#include <vector>

namespace command {

namespace {

const char* name_of(Command command) {
  switch (command) {
    case Command::generate:
      return "generate";
    case Command::forward:
      return "forward";
    case Command::denoise:
      return "denoise";
    case Command::decode:
      return "decode";
    case Command::encode:
      return "encode";
    case Command::bench:
      return "bench";
    case Command::tokenize:
      return "tokenize";
    default:
      return "plan";
  }
}

}  // namespace

weft::InputSummary summary_of(const Options& options) {
  weft::InputSummary out("command line");
  out.add("the command", name_of(options.command));
  out.add("--dtype", options.dtype_name);
  out.add("--attention", options.attends_in_int8 ? "int8" : "the dtype's");
  out.add(options.trace ? "a trace" : "no trace");
  if (options.command == Command::generate) {
    out.add(options.has_images() ? "an image" : "no image");
    out.add(options.latents_out ? "latents" : "no latents");
  }
  if (options.command != Command::bench) return out;
  std::vector<std::string> sides;
  for (const int px : options.px) sides.push_back(std::to_string(px));
  out.add("--arch", options.arch);
  out.add("--px", weft::listed(sides));
  out.add("--images", options.images);
  out.add("--steps", options.timed_steps);
  return out;
}

}  // namespace command
