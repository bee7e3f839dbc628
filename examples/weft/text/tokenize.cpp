#include "tokenize.hpp"

#include <map>
#include <string>
#include <vector>

#include "../output/files.hpp"
#include "weft/core/spans.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/text/prompt_tokenizers.hpp"

namespace command {

void tokenize(const Options& options) {
  if (!options.prints()) return;
  const weft::OutputFile file = output_file("--out", *options.out, ".safetensors");
  const weft::text::PromptTokenizers tokenizers(options.model, options.max_sequence_length);

  std::map<std::string, std::vector<weft::text::Id>> numbers;
  for (const std::string& prompt : options.prompts)
    for (const auto& [folder, tokens] : tokenizers.encode(prompt)) {
      const auto append = [](std::vector<weft::text::Id>& to, const std::vector<weft::text::Id>& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(numbers[folder + ".ids"], tokens.ids);
      append(numbers[folder + ".mask"], tokens.mask);
    }

  weft::SafeTensors::Entries entries;
  const auto prompts = static_cast<weft::Index>(options.prompts.size());
  for (const auto& [name, values] : numbers)
    entries.emplace(name,
                    weft::SafeTensors::Entry{{weft::Dtype::i64, weft::bytes_of(values)},
                                             {prompts, static_cast<weft::Index>(values.size()) / prompts}});
  file.commit(weft::entries_to_safetensors(entries));
}

}  // namespace command
