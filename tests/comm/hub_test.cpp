#include "weft/comm/hub.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>

namespace {

struct Undeliverable {
  weft::StridedBytes piece;

  static void deliver(const Undeliverable&, Undeliverable&) { throw std::runtime_error("no way"); }
};

using Hub = weft::Hub<Undeliverable>;

}  // namespace

TEST_CASE("Hub: a delivery that fails stops both sides, and neither waits to be cancelled") {
  Hub hub(2);
  const Hub::Route route{"ring", 0, 1};
  const auto sent = std::make_shared<Hub::Post>(Undeliverable{});
  const auto received = std::make_shared<Hub::Post>(Undeliverable{});
  CHECK(!hub.post(route, Hub::Side::receive, received));
  CHECK_THROWS_WITH((void)hub.post(route, Hub::Side::send, sent), "no way");
  CHECK_THROWS_AS(hub.wait(*received), weft::Stopped);
  CHECK_THROWS_AS(hub.wait(*sent), weft::Stopped);
  hub.cancel(sent);
  hub.cancel(received);
}

TEST_CASE("Hub: a post after a stop throws at once") {
  Hub hub(2);
  hub.stop("all is over");
  const auto late = std::make_shared<Hub::Post>(Undeliverable{});
  CHECK_THROWS_WITH_AS((void)hub.post({"ring", 0, 1}, Hub::Side::send, late), "all is over", weft::Stopped);
  hub.cancel(late);
}
