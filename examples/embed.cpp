// weft inside an application: the model is loaded once, and all ranks together serve a list of requests.
#include <iostream>
#include <numeric>
#include <weft/weft.hpp>

/// The application's generator of images (3, height, width) in [−1, 1] from captions.
class Generator {
 public:
  Generator(const std::filesystem::path& folder, const weft::Mesh& mesh)
      : model_(folder / "transformer"),
        words_(folder / "text"),
        scheduler_(weft::Config::read(folder / "scheduler/scheduler_config.json")),
        mesh_(mesh) {}

  /// Returns an image for each caption. Throws InvalidArgument, before any work, if the model cannot read one
  /// of them.
  std::vector<weft::Tensor> generate(const std::vector<std::string>& captions) const {
    std::vector<weft::Request<Model::Prompt>> requests;
    for (const std::string& caption : captions) {
      requests.push_back({.prompts = {prompt_of(words_, caption)},
                          .negatives = {prompt_of(words_, "")},
                          .height = 64,
                          .width = 64,
                          .sampler = weft::make_sampler("dpmpp", scheduler_, 8)});
      Engine::check(model_, mesh_, requests.back());
    }
    std::vector<weft::Tensor> images;
    weft::launch(mesh_.ranks(), [&](weft::threads::World& world) {
      Engine engine(model_, mesh_, world);  // its memory is reused by requests of the same size
      for (const auto& request : requests) {
        const weft::Tensor image = engine.generate(request);
        if (world.rank() == 0) images.push_back(image.at(0));
      }
    });
    return images;
  }

 private:
  using Model = weft::HunyuanDiT<weft::Host>;
  using Engine = weft::Engine<Model, weft::CfgParallel<weft::PipeFusion<>>>;

  Model model_;
  weft::WordTable words_;
  weft::Config scheduler_;
  weft::Mesh mesh_;
};

int main(int argc, char** argv) try {
  const Generator generator(argc > 1 ? argv[1] : "share/shapes", {.cfg = 2, .pipe = 2, .warmup = 2});
  const auto images = generator.generate({"a blue ring above a purple cross on black",  //
                                          "a yellow ring above a pink cross on white"});
  const auto brightness = [](const weft::Tensor& image) {
    return std::accumulate(image.data.begin(), image.data.end(), 0.0) / static_cast<double>(image.size());
  };
  const double night = brightness(images[0]), day = brightness(images[1]);
  std::cout << "The night is at " << night << " and the day at " << day << ".\n";
  try {
    generator.generate({"a mouse on a sofa"});
  } catch (const weft::InvalidArgument& rejection) {
    std::cout << "Rejected: " << rejection.what() << '\n';
  }
  return night < day ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
