#include "weft/core/trace.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

using weft::Lane;
using weft::Span;
using weft::Trace;

TEST_CASE("Span: records from its beginning to its end, with number and bytes") {
  Lane lane;
  {
    const Span outer(&lane, "model", "block", 3);
    const Span inner(&lane, "send", "pipe", 0, 128);
    CHECK(lane.slices().empty());
  }
  REQUIRE(lane.slices().size() == 2);
  const Lane::Slice &inner = lane.slices()[0], &outer = lane.slices()[1];
  CHECK(inner.name == "pipe 0");
  CHECK(inner.bytes == 128);
  CHECK(outer.name == "block 3");
  CHECK(std::string(outer.category) == "model");
  CHECK(outer.begin <= inner.begin);
  CHECK(inner.begin <= inner.end);
  CHECK(inner.end <= outer.end);
}

TEST_CASE("Span: without a number the name stays, without a lane nothing happens") {
  Lane lane;
  { const Span span(&lane, "wait", "ring"); }
  CHECK(lane.slices().at(0).name == "ring");
  const Span nothing(nullptr, "wait", "ring");
}

TEST_CASE("Lane: reports the innermost open span, also if it discards slices") {
  Lane lane = Lane::without_slices();
  CHECK(lane.doing().empty());
  {
    const Span outer(&lane, "model", "block", 3);
    CHECK(lane.doing() == "model block 3");
    { const Span inner(&lane, "wait", "ulysses"); }
    const Span inner(&lane, "attention", "attention", 5);
    CHECK(lane.doing() == "attention 5");
  }
  CHECK(lane.doing().empty());
  CHECK(lane.slices().empty());
}

TEST_CASE("Lane: reports the span that an exception came from") {
  Lane lane;
  try {
    const Span span(&lane, "model", "block", 3);
    throw 7;
  } catch (int) {
  }
  CHECK(lane.doing() == "model block 3");
  { const Span span(&lane, "wait", "ring"); }
  CHECK(lane.slices().size() == 2);
}

TEST_CASE("Trace: has no lane for a rank beyond those that it was made for") {
  weft::Trace trace(2);
  CHECK_THROWS_WITH_AS(trace.lane(2), doctest::Contains("lanes for 2 ranks and none for rank 2"),
                       weft::InvalidArgument);
}

TEST_CASE("Trace: is JSON with one named row a rank") {
  Trace trace(3);
  { const Span span(&trace.lane(0), "model", "block", 7); }
  { const Span span(&trace.lane(2), "send", "ulysses", 1, 4096); }
  { const Span span(&trace.lane(2), "wait", "ulysses"); }
  const auto json = nlohmann::json::parse(trace.json());
  std::set<std::string> rows;
  int slices = 0;
  for (const auto& event : json.at("traceEvents")) {
    CHECK(event.at("pid") == 0);
    if (event.at("ph") == "M") {
      CHECK(event.at("args").at("name") == "rank " + std::to_string(event.at("tid").get<int>()));
      rows.insert(event.at("args").at("name"));
      continue;
    }
    ++slices;
    CHECK(event.at("ph") == "X");
    CHECK(event.at("ts").get<double>() >= 0);
    CHECK(event.at("dur").get<double>() >= 0);
    if (event.at("name") == "block 7") CHECK(event.at("tid") == 0);
    if (event.at("name") == "ulysses 1") CHECK(event.at("args").at("bytes") == 4096);
  }
  CHECK(rows == std::set<std::string>{"rank 0", "rank 1", "rank 2"});
  CHECK(slices == 3);
}

TEST_CASE("Trace: is JSON without slices and without ranks too") {
  CHECK(nlohmann::json::parse(Trace(2).json()).at("traceEvents").size() == 2);
  CHECK(nlohmann::json::parse(Trace(0).json()).at("traceEvents").empty());
}

TEST_CASE("Trace: names are escaped") {
  const std::string name = "a \"quoted\" \\ name\n\twith \x01";
  Trace trace(1);
  { const Span span(&trace.lane(0), name.c_str(), name.c_str()); }
  const auto slice = nlohmann::json::parse(trace.json()).at("traceEvents").at(1);
  CHECK(slice.at("name") == name);
  CHECK(slice.at("cat") == name);
}

TEST_CASE("Trace: transfers that ran beside a rank have a row of their own") {
  Trace trace(2);
  trace.lane(1).add({"ring", "transfer", Lane::Clock::now(), Lane::Clock::now(), 64});
  { const Span span(&trace.lane(1), "model", "block", 7); }
  std::set<std::string> rows;
  const auto json = nlohmann::json::parse(trace.json());
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("ph") == "M") {
      rows.insert(event.at("args").at("name"));
    } else {
      CHECK(event.at("tid") == (event.at("cat") == "transfer" ? 3 : 1));
    }
  }
  CHECK(rows == std::set<std::string>{"rank 0", "rank 1", "rank 1, transfers"});
}
