#include "weft/comm/job/rendezvous.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../../io/temporary_folder.hpp"

using doctest::Contains;
using std::chrono::milliseconds;
using weft::InvalidArgument;
using weft::LaunchEnvironment;
using weft::job::Key;
using weft::job::Listener;
using weft::job::rendezvous_info;
using weft::job::RendezvousInfo;
using weft::job::secret_of;

namespace {

using Variables = std::map<std::string, std::string>;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

LaunchEnvironment place(int rank, int world, int port) {
  return {.launcher = "torchrun",
          .rank = rank,
          .world = world,
          .local_rank = rank,
          .local_world = world,
          .address = "localhost",
          .port = port};
}

/// A rank of a job that takes each of its ranks for a host of its own.
LaunchEnvironment apart(int rank, int world, int port, const std::string& address = "127.0.0.1") {
  LaunchEnvironment out = place(rank, world, port);
  out.local_rank = 0, out.local_world = 1, out.address = address;
  return out;
}

int some_port() {
  static int uses = 0;
  return 33000 + static_cast<int>((::getpid() + 20 * ++uses) % 20000);
}

weft::detail::Lookup environment(const Variables& variables) {
  return [variables](const char* name) {
    const auto at = variables.find(name);
    return at == variables.end() ? nullptr : at->second.c_str();
  };
}

const std::string secret = "0123456789abcdef0123456789abcdef",
                  other_secret = "fedcba9876543210fedcba9876543210";
const weft::detail::Lookup nothing = environment({}), with_secret = environment({{"WEFT_SECRET", secret}});

/// Returns for every rank rank 0's text, or the sentence that it throws.
std::vector<std::string> shared(const std::vector<RendezvousInfo>& infos,
                                milliseconds patience = milliseconds(5000)) {
  const auto world = static_cast<int>(infos.size());
  std::vector<std::string> texts(infos.size());
  std::optional<Listener> listener;
  listener.emplace(infos.front().endpoints);
  std::vector<std::jthread> ranks;
  for (int rank = 0; rank < world; ++rank)
    ranks.emplace_back([&, rank] {
      const auto at = static_cast<std::size_t>(rank);
      try {
        texts[at] =
            connect(infos[at], &*listener, rank, world, rank == 0 ? "the text\nof rank 0" : "", patience)
                .text;
      } catch (const std::exception& error) {
        texts[at] = error.what();
      }
    });
  ranks.clear();
  return texts;
}

template <class PlaceOf>
std::vector<RendezvousInfo> infos(PlaceOf place_of, int world, const weft::detail::Lookup& lookup) {
  const int port = some_port();
  std::vector<RendezvousInfo> out;
  for (int rank = 0; rank < world; ++rank)
    out.push_back(rendezvous_info(place_of(rank, world, port), lookup));
  return out;
}

std::vector<std::string> text_of_all(int world) {
  return std::vector<std::string>(static_cast<std::size_t>(world), "the text\nof rank 0");
}

const auto one_host = [](int rank, int world, int port) { return place(rank, world, port); };
const auto several_hosts = [](int rank, int world, int port) { return apart(rank, world, port); };

}  // namespace

TEST_CASE("rendezvous: all ranks get the text of rank 0, on one host and on several") {
  for (const int world : {2, 5}) {
    CHECK(shared(infos(one_host, world, nothing)) == text_of_all(world));
    CHECK(shared(infos(one_host, world, with_secret)) == text_of_all(world));
    CHECK(shared(infos(several_hosts, world, with_secret)) == text_of_all(world));
  }
  CHECK(weft::job::rendezvous(place(0, 1, some_port()), "alone").text == "alone");
}

TEST_CASE("rendezvous: on one host nothing listens on the network") {
  for (const weft::job::Endpoint& at : rendezvous_info(place(0, 2, some_port()), nothing).endpoints)
    CHECK(at.is_local());
  LaunchEnvironment unnamed = place(0, 2, 0);
  unnamed.launcher = "mpirun", unnamed.address.clear();
  CHECK(rendezvous_info(unnamed, nothing).endpoints.front().is_local());
}

TEST_CASE("rendezvous: between hosts rank 0 listens only at MASTER_ADDR") {
  const Listener listener(rendezvous_info(apart(0, 2, some_port(), "127.0.0.2"), with_secret).endpoints);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&bound), &size);
  CHECK(bound.sin_family == AF_INET);
  CHECK(ntohl(bound.sin_addr.s_addr) == 0x7F000002);
}

TEST_CASE("rendezvous: works over IPv6") {
  const auto over_six = [](int rank, int world, int port) { return apart(rank, world, port, "::1"); };
  try {
    const Listener probe({{.host = "::1", .port = some_port()}});
  } catch (const std::exception&) {
    WARN_MESSAGE(false, "this system has no IPv6");
    return;
  }
  CHECK(shared(infos(over_six, 2, with_secret)) == text_of_all(2));
}

TEST_CASE("rendezvous: another process may listen at the first endpoint") {
  for (const bool apart : {false, true}) {
    const auto all = apart ? infos(several_hosts, 3, with_secret) : infos(one_host, 3, nothing);
    const Listener silent({all.front().endpoints.front()});
    const auto begin = std::chrono::steady_clock::now();
    CHECK(shared(all) == text_of_all(3));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  }
}

TEST_CASE("rendezvous: a rank with another secret gets nothing, and both sides say why") {
  auto all = infos(several_hosts, 2, with_secret);
  all[1].key = Key(other_secret, "whatever");
  const auto texts = shared(all, milliseconds(500));
  CHECK(texts[0].starts_with("rank 1 did not come within 0.5 s; "));
  CHECK(has(texts[0],
            " did not prove to be of this job; rank 0 listens at 127.0.0.1, which other hosts cannot reach"));
  CHECK(texts[1].starts_with("rank 1 did not find rank 0 at 127.0.0.1, port "));
  CHECK(has(texts[1], " within 0.5 s; the process that listens at 127.0.0.1, port "));
  CHECK(has(texts[1], " does not know the secret of this job"));
}

TEST_CASE("rendezvous: a job of another name is another job") {
  const int port = some_port();
  LaunchEnvironment other = place(1, 2, port);
  other.world = other.local_world = 4;
  const RendezvousInfo mine = rendezvous_info(place(0, 2, port), nothing),
                       theirs = rendezvous_info(other, nothing);
  CHECK(mine.endpoints.front().socket != theirs.endpoints.front().socket);
  CHECK(mine.key.hex_text() != theirs.key.hex_text());
}

TEST_CASE("rendezvous: ranks that do not connect are named, and so is a missing rank 0") {
  const auto all = infos(one_host, 4, nothing);
  const Listener listener(all[0].endpoints);
  CHECK_THROWS_WITH((void)connect(all[0], &listener, 0, 4, "", milliseconds(200)),
                    "ranks 1, 2 and 3 did not come within 0.2 s");
  CHECK_THROWS_WITH((void)connect(all[1], nullptr, 1, 4, "", milliseconds(100)),
                    Contains("rank 1 did not find rank 0 at Unix socket @weft-"));
}

TEST_CASE("rendezvous: ranks that have connected are told which one is missing") {
  const auto all = infos(one_host, 3, nothing);
  const Listener listener(all[0].endpoints);
  std::string second;
  std::jthread present([&] {
    try {
      (void)connect(all[1], nullptr, 1, 3, "", std::chrono::seconds(30));
    } catch (const weft::Stopped& stopped) {
      second = stopped.what();
    }
  });
  CHECK_THROWS_WITH((void)connect(all[0], &listener, 0, 3, "", milliseconds(700)),
                    "rank 2 did not come within 0.7 s");
  present.join();
  CHECK(second == "rank 2 did not come within 0.7 s");
}

TEST_CASE("rendezvous_info: ranks of several hosts need the host of rank 0, and a secret") {
  LaunchEnvironment lost = place(0, 16, 0);
  lost.launcher = "mpirun", lost.local_world = 8, lost.address.clear();
  CHECK_THROWS_WITH_AS((void)rendezvous_info(lost, with_secret),
                       "mpirun has started ranks on several hosts and does not tell them where rank 0 is; "
                       "set MASTER_ADDR to its host for all of them, as in mpirun -x MASTER_ADDR=node1",
                       InvalidArgument);
  lost.address = "node1";
  CHECK_THROWS_WITH_AS((void)rendezvous_info(lost, nothing),
                       Contains("export WEFT_SECRET=$(openssl rand -hex 32) before mpirun"), InvalidArgument);
}

TEST_CASE("Listener: rejects an address that is not its host's, and an unknown name") {
  CHECK_THROWS_WITH_AS(Listener({{.host = "192.0.2.77", .port = some_port()}}),
                       Contains("no interface of its host has the address 192.0.2.77"), InvalidArgument);
  CHECK_THROWS_WITH_AS(Listener({{.host = "no-such-host.invalid", .port = some_port()}}),
                       Contains("which is no host that it knows"), InvalidArgument);
}

TEST_CASE("RendezvousInfo: its text can be parsed, and nothing else can") {
  const RendezvousInfo info{{{.socket = "weft-1"}, {.host = "fd00::5", .port = 4711}}, Key::random()};
  const RendezvousInfo same = RendezvousInfo::parse(info.text());
  CHECK(same.key.hex_text() == info.key.hex_text());
  CHECK(same.endpoints.front().socket == "weft-1");
  CHECK(same.endpoints.back().host == "fd00::5");
  CHECK(same.endpoints.back().port == 4711);
  const std::string key = info.key.hex_text();
  for (const char* place :
       {"", "\n", "\nhost", "\nhost 0", "\nhost 65536", "\nhost 99999999999", "\nhost 80x", "\n 80"})
    CHECK_THROWS_AS((void)RendezvousInfo::parse(key + place), std::runtime_error);
  CHECK_THROWS_AS((void)RendezvousInfo::parse(key.substr(1) + "\nhost 80"), std::runtime_error);
}

TEST_CASE("secret_of: the environment's, or that of a file which only this user can read") {
  const TemporaryFolder folder;
  const auto file = folder.write("secret", secret + "\n");
  const auto from_file = environment({{"WEFT_SECRET_FILE", file.string()}});
  ::chmod(file.c_str(), 0600);
  CHECK(secret_of(nothing) == std::nullopt);
  CHECK(secret_of(with_secret) == secret);
  CHECK(secret_of(from_file) == secret);
  ::chmod(file.c_str(), 0640);
  CHECK_THROWS_WITH_AS((void)secret_of(from_file),
                       Contains("which others may open; it must be this user's alone: chmod 600"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS((void)secret_of(environment({{"WEFT_SECRET_FILE", "/no/such"}})),
                       Contains("No such file"), InvalidArgument);
  CHECK_THROWS_WITH_AS((void)secret_of(environment({{"WEFT_SECRET_FILE", folder.path().string()}})),
                       Contains("is no file"), InvalidArgument);
  CHECK_THROWS_WITH_AS(
      (void)secret_of(environment({{"WEFT_SECRET", "short"}})),
      "WEFT_SECRET has 5 characters and must have at least 32; make one with: openssl rand -hex 32",
      InvalidArgument);
  CHECK_THROWS_WITH_AS((void)secret_of(environment({{"WEFT_SECRET", secret}, {"WEFT_SECRET_FILE", "x"}})),
                       Contains("both set"), InvalidArgument);
}
