#include "weft/io/json.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "temporary_folder.hpp"

using doctest::Contains;
using weft::Config;
using weft::InvalidArgument;

namespace {

const Config& config() {
  static const Config sample(R"({"flag": true, "layers": 10, "negative": -3, "ratio": 4.5, "class": "DiT",
    "nothing": null, "list": [1, 2], "object": {}, "map": {"a": "x", "b": "y"}, "mixed": {"a": 1},
    "int_max": 2147483647, "too_large": 2147483648, "int_min": -2147483648, "too_small": -2147483649,
    "wraps": 18446744073709551615, "whole_float": 2.0})",
                             "config.json");
  return sample;
}

Config config_of(std::string_view text) { return {text, "c.json"}; }

}  // namespace

TEST_CASE("Config: gives values of the type that is asked for") {
  CHECK(config().required<bool>("flag"));
  CHECK(config().required<int>("layers") == 10);
  CHECK(config().required<int>("negative") == -3);
  CHECK(config().required<int>("int_max") == 2147483647);
  CHECK(config().required<int>("int_min") == -2147483647 - 1);
  CHECK(config().required<double>("ratio") == 4.5);
  CHECK(config().required<double>("layers") == 10.0);
  CHECK(config().required<std::string>("class") == "DiT");
  CHECK(config().required_strings("map").at("b") == "y");
  CHECK(config().required_strings("object").empty());
}

TEST_CASE("Config: null counts as absent") {
  CHECK(config().has("layers"));
  CHECK_FALSE(config().has("nothing"));
  CHECK_FALSE(config().has("unheard"));
  CHECK(config().optional("layers", 3) == 10);
  CHECK(config().optional("nothing", 3) == 3);
  CHECK(config().optional("unheard", 0.5) == 0.5);
  CHECK(config().optional<std::string>("unheard", "x") == "x");
  CHECK_THROWS_WITH_AS(config().required<int>("unheard"),
                       "config.json: unheard is missing and must be a whole number of 32 bits",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<bool>("nothing"),
                       "config.json: nothing is missing and must be true or false", InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required_strings("nothing"),
                       "config.json: nothing is missing and must be an object of strings", InvalidArgument);
}

TEST_CASE("Config: a wrong type is rejected with what was found") {
  CHECK_THROWS_WITH_AS(config().required<int>("ratio"),
                       "config.json: ratio is 4.5 and must be a whole number of 32 bits", InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<int>("whole_float"), Contains("whole_float is 2.0"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<int>("too_large"), Contains("too_large is 2147483648"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<int>("too_small"), Contains("too_small is -2147483649"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<int>("wraps"), Contains("wraps is 18446744073709551615"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<int>("flag"), Contains("flag is true"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<bool>("layers"), Contains("layers is 10 and must be true or false"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<double>("class"),
                       Contains("class is \"DiT\" and must be a finite number"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required<std::string>("list"),
                       Contains("list is an array and must be a string"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config().optional("object", 1), Contains("object is an object"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required_strings("list"),
                       Contains("list is an array and must be an object of strings"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config().required_strings("mixed"), Contains("mixed.a is 1 and must be a string"),
                       InvalidArgument);
}

TEST_CASE("Config: a rejection does not repeat a long string") {
  const Config config = config_of("{\"a\": \"" + std::string(1000, 'x') + "\"}");
  CHECK_THROWS_WITH_AS(config.required<int>("a"), Contains("a is a string of 1000 bytes and"),
                       InvalidArgument);
}

TEST_CASE("Config: invalid JSON is rejected with its position") {
  using namespace std::string_view_literals;
  CHECK_THROWS_WITH_AS(config_of(""), "c.json is not valid JSON at line 1, column 1", InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\n  \"a\": 1,\n  \"b\": ?\n}"),
                       "c.json is not valid JSON at line 3, column 8", InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": 1"), Contains("line 1, column 8"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{} {}"), Contains("line 1, column 4"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{}\0{"sv), Contains("line 1, column 3"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": \"\xff\"}"), Contains("not valid JSON"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": 1e999}"), Contains("a number that is too large"), InvalidArgument);
}

TEST_CASE("Config: must be an object without duplicate keys, of bounded nesting") {
  CHECK_THROWS_WITH_AS(config_of("[1]"), "c.json is an array and must be a JSON object", InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("7"), Contains("c.json is 7 and"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": {\"b\": 1, \"b\": 2}}"), "c.json holds the key \"b\" twice",
                       InvalidArgument);
  CHECK_NOTHROW(config_of("{\"a\": {\"b\": 1}, \"b\": {\"a\": 1}}"));
  CHECK_NOTHROW(config_of("{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}"));
  CHECK_THROWS_WITH_AS(config_of("{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}"),
                       Contains("nests more than 64 levels"), InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of(std::string(1'000'000, '[')), Contains("nests more than 64 levels"),
                       InvalidArgument);
}

TEST_CASE("Config: reads files, and names them") {
  const TemporaryFolder folder;
  const auto path = folder.write("config.json", "{\"layers\": 10}");
  const Config config = Config::read(path);
  CHECK(config.name() == path.string());
  CHECK(config.required<int>("layers") == 10);
  CHECK_THROWS_WITH_AS(Config::read(folder / "no.json"), Contains("no.json: No such file"), InvalidArgument);
  CHECK_THROWS_WITH_AS(Config::read(folder.path()), Contains("it is a folder"), InvalidArgument);
  CHECK_THROWS_WITH_AS(Config::read(folder.write("empty.json", "")), Contains("empty.json is not valid JSON"),
                       InvalidArgument);
}

TEST_CASE("Config: strings whose escapes are no character can be named in rejections") {
  CHECK_THROWS_WITH_AS(config_of(R"({"\udddd": 1, "\udddd": 2})"),
                       "c.json holds the key that is not Unicode twice", InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of(R"({"a": "\udddd"})").required<int>("a"),
                       Contains("a is a string of 3 bytes and"), InvalidArgument);
}

TEST_CASE("Config: numbers at the limits of a double") {
  const Config config =
      config_of(R"({"tiny": 1e-999, "zero": 0.000e-5, "whole": 18446744073709551616, "minus": -0})");
  CHECK(config.required<double>("tiny") == 0);
  CHECK(config.required<double>("zero") == 0);
  CHECK(config.required<double>("whole") == 0x1p64);
  CHECK(config.required<int>("minus") == 0);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": -1e999}"), Contains("a number that is too large"), InvalidArgument);
}

TEST_CASE("Config: NaN and infinities as Python writes them") {
  const Config config =
      config_of(R"({"most": Infinity, "least": -Infinity, "lost": NaN, "nested": [1, -Infinity]})");
  CHECK(config.required<weft::Unbounded>("most").value == std::numeric_limits<double>::infinity());
  CHECK(config.required<weft::Unbounded>("least").value == -std::numeric_limits<double>::infinity());
  CHECK(config_of(R"({"a": -3})").required<weft::Unbounded>("a").value == -3);
  CHECK_THROWS_WITH_AS(config.required<weft::Unbounded>("lost"), "c.json: lost is NaN and must be a number",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(config.required<double>("least"),
                       "c.json: least is -Infinity and must be a finite number", InvalidArgument);
  CHECK_THROWS_WITH_AS(config.optional("lost", 1.0), "c.json: lost is NaN and must be a finite number",
                       InvalidArgument);
  for (const char* other : {"Inf", "-NaN", "inf", "nan", "+Infinity", "Infinit", "-I", "1N"})
    CHECK_THROWS_WITH_AS(config_of("{\"a\": " + std::string(other) + "}"),
                         Contains("c.json is not valid JSON at"), InvalidArgument);
}

TEST_CASE("Config: arrays of one type") {
  const Config config =
      config_of(R"({"numbers": [1, 2.5], "words": ["a", "b"], "mixed": [1, "b"], "none": null})");
  CHECK(config.optional_array<double>("numbers") == std::vector<double>{1, 2.5});
  CHECK(config.optional_array<std::string>("words") == std::vector<std::string>{"a", "b"});
  CHECK(config.optional_array<double>("none").empty());
  CHECK(config.optional_array<double>("unheard").empty());
  CHECK_THROWS_WITH_AS(config.optional_array<double>("mixed"),
                       "c.json: mixed[1] is \"b\" and must be a finite number", InvalidArgument);
  CHECK_THROWS_WITH_AS(config_of("{\"a\": 1}").optional_array<double>("a"),
                       "c.json: a is 1 and must be an array", InvalidArgument);
}

TEST_CASE("Config: takes settings and the name of another") {
  Config config = config_of(R"({"a": 1, "b": 2})");
  const Config other(R"({"b": 3, "c": null})", "other.json");
  for (const char* key : {"b", "c"}) config.take(key, other);
  CHECK(config.required<int>("a") == 1);
  CHECK(config.required<int>("b") == 3);
  CHECK(config.is_null("c"));
  CHECK_FALSE(config.is_null("a"));
  CHECK_FALSE(config.is_null("d"));
  CHECK(config.name() == "other.json");
}
