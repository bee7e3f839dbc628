// Processes that are not of a job get nothing from it, and cost it nothing.
#include "weft/comm/job/rendezvous_server.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "weft/comm/job/rendezvous.hpp"
#include "weft/comm/job/rendezvous_client.hpp"

using doctest::Contains;
using std::chrono::milliseconds;
using std::chrono::seconds;
using weft::job::ClientHandshake;
using weft::job::Connection;
using weft::job::frame_of;
using weft::job::Key;
using weft::job::Listener;
using weft::job::Message;
using weft::job::RemoteProcess;
using weft::job::RendezvousClient;
using weft::job::RendezvousInfo;
using weft::job::RendezvousServer;
using weft::job::ServerHandshake;
using Clock = std::chrono::steady_clock;

namespace {

const std::string shared_text = "what only ranks may know";

/// Rank 0 of a job, on a thread.
class Rank0 {
 public:
  explicit Rank0(int ranks, milliseconds patience = seconds(10)) {
    result_ = std::async(std::launch::async, [this, ranks, patience] {
      return RendezvousServer(listener_, info_.key, ranks, shared_text).run(patience).size();
    });
  }

  const RendezvousInfo& info() const { return info_; }

  /// Makes an unauthenticated connection to rank 0.
  Connection connection() const {
    return Connection(connected(info_.endpoints.front().addresses().front(), seconds(1)));
  }

  /// Returns how many ranks connected; throws what rank 0 threw.
  std::size_t ranks() { return result_.get(); }

 private:
  Listener listener_{{{.host = "127.0.0.1", .port = 0}}};
  RendezvousInfo info_{listener_.endpoints(), Key::random()};
  std::future<std::size_t> result_;
};

std::string joined(const Rank0& rank0, int rank) {
  try {
    return RendezvousClient(rank0.info(), rank).run(seconds(5)).text;
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// Returns all messages that arrive until the other side closes, or 2.5 s have passed.
std::vector<Message> received(Connection& connection) {
  std::vector<Message> out;
  const auto deadline = Clock::now() + milliseconds(2500);
  while (Clock::now() < deadline) {
    connection.receive();
    while (auto message = connection.next()) out.push_back(std::move(*message));
    if (!connection.is_open()) break;
    connection.wait(milliseconds(50));
  }
  return out;
}

/// A server at an address of its own that answers by `say`, and otherwise sends nothing.
class Forger {
 public:
  explicit Forger(std::function<std::optional<Message>(const Message&)> say)
      : thread_([this, say = std::move(say)](const std::stop_token& stop) {
          std::vector<Connection> connections;
          while (!stop.stop_requested()) {
            if (auto socket = listener_.accept(); socket.get() >= 0)
              connections.emplace_back(std::move(socket));
            for (Connection& one : connections) {
              one.receive();
              while (const auto message = one.next())
                if (const auto answer = say ? say(*message) : std::nullopt) one.send(*answer);
            }
            std::this_thread::sleep_for(milliseconds(5));
          }
        }) {}

  const weft::job::Endpoint& endpoint() const { return listener_.endpoints().front(); }

 private:
  Listener listener_{{{.host = "127.0.0.2", .port = 0}}};
  std::jthread thread_;
};

long resident_megabytes(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  long all = 0, resident = 0;
  file >> all >> resident;
  return resident * ::getpagesize() / (1 << 20);
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// Returns how many descriptors a process has open.
std::ptrdiff_t open_descriptors(int process) {
  return std::distance(std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd"),
                       std::filesystem::directory_iterator());
}

/// Rank 0 of a job of two, in a process of its own, which ends with code 0 when rank 1 has connected.
class Rank0Process {
 public:
  explicit Rank0Process(milliseconds patience, const std::function<void()>& prepare = {})
      : process_(::fork()) {
    if (process_ != 0) return;
    if (prepare) prepare();
    try {
      (void)RendezvousServer(listener_, info_.key, 2, shared_text).run(patience);
      ::_exit(0);
    } catch (const std::exception&) {
      ::_exit(3);
    }
  }

  int process() const { return process_; }
  const RendezvousInfo& info() const { return info_; }
  Connection connection() const {
    return Connection(connected(info_.endpoints.front().addresses().front(), seconds(1)));
  }

  struct End {
    int code;
    double processor_seconds;
  };
  End wait() const {
    int status = 0;
    rusage used{};
    ::wait4(process_, &status, 0, &used);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            seconds_of(used.ru_utime) + seconds_of(used.ru_stime)};
  }

 private:
  Listener listener_{{{.host = "127.0.0.1", .port = 0}}};
  RendezvousInfo info_{listener_.endpoints(), Key::random()};
  int process_;
};

}  // namespace

TEST_CASE("rendezvous server: all that know the key are welcome, and none before all have connected") {
  Rank0 rank0(3);
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  CHECK(first.wait_for(milliseconds(300)) == std::future_status::timeout);
  CHECK(joined(rank0, 2) == shared_text);
  CHECK(first.get() == shared_text);
  CHECK(rank0.ranks() == 2);
}

TEST_CASE("rendezvous server: a process without the secret gets a challenge and nothing else") {
  Rank0 rank0(2);
  Connection connection = rank0.connection();
  const Key wrong = Key::random();
  ClientHandshake client(wrong, 1);
  connection.send(client.hello());
  connection.wait(seconds(1));
  connection.receive();
  const auto challenge = connection.next();
  REQUIRE(challenge);
  CHECK(challenge->kind == Message::Kind::challenge);
  CHECK_FALSE(client.answer(*challenge, "process 1"));
  CHECK(client.reason() == "does not know the secret of this job");
  // It sends a proof nevertheless.
  connection.send({Message::Kind::proof, 0, std::string(Key::proof_size, 'x') + "process 1"});
  CHECK(received(connection).empty());
  CHECK_FALSE(connection.is_open());
  CHECK(joined(rank0, 1) == shared_text);
  CHECK(rank0.ranks() == 1);
}

TEST_CASE("rendezvous server: a replayed hello and proof are rejected") {
  Rank0 rank0(2);
  const RendezvousInfo& info = rank0.info();
  Connection honest = rank0.connection();
  ClientHandshake client(info.key, 1);
  const Message hello = client.hello();
  honest.send(hello);
  honest.wait(seconds(1));
  honest.receive();
  const Message proof = client.answer(*honest.next(), "process 1").value();
  Connection replay = rank0.connection();
  replay.send(hello);
  replay.send(proof);
  const auto answers = received(replay);
  REQUIRE(answers.size() == 1);
  CHECK(answers.front().kind == Message::Kind::challenge);
  CHECK_FALSE(replay.is_open());
  CHECK(joined(rank0, 1) == shared_text);
}

TEST_CASE("rendezvous server: a silent connection is closed after a second, and one that trickles too") {
  Rank0 rank0(2);
  Connection silent = rank0.connection(), trickling = rank0.connection();
  std::jthread trickle([&](const std::stop_token& stop) {
    const std::string frame = frame_of({Message::Kind::hello, 0, std::string(200, 'w')});
    for (std::size_t i = 0; i < frame.size() && !stop.stop_requested(); ++i) {
      ::send(trickling.descriptor(), &frame[i], 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  const auto begin = Clock::now();
  CHECK(received(silent).empty());
  CHECK_FALSE(silent.is_open());
  CHECK(Clock::now() - begin > milliseconds(800));
  CHECK(Clock::now() - begin < milliseconds(2000));
  trickle.request_stop();
  trickle.join();
  received(trickling);
  CHECK_FALSE(trickling.is_open());
  CHECK(joined(rank0, 1) == shared_text);
}

TEST_CASE("rendezvous server: floods of bytes take no memory, and floods of connections block no rank") {
  for (const bool has_few_descriptors : {false, true}) {
    const Rank0Process rank0(seconds(20), [has_few_descriptors] {
      const rlimit few{64, 64};
      if (has_few_descriptors) ::setrlimit(RLIMIT_NOFILE, &few);
    });
    const std::string bytes(1 << 20, '\xff');
    std::deque<Connection> all;
    const auto connect_once_more = [&] {
      all.push_back(rank0.connection());
      if (all.size() > 400) all.pop_front();
    };
    const long memory_before = resident_megabytes(rank0.process());
    long most_memory = 0;
    std::ptrdiff_t most_descriptors = 0;
    for (const auto begin = Clock::now(); Clock::now() - begin < seconds(1);) {
      connect_once_more();
      if (all.size() % 2 == 0)
        ::send(all.back().descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      most_memory = std::max(most_memory, resident_megabytes(rank0.process()));
      most_descriptors = std::max(most_descriptors, open_descriptors(rank0.process()));
    }
    std::jthread flood([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) connect_once_more();
    });
    CHECK(most_memory < memory_before + 64);
    CHECK(most_descriptors < 100);
    CHECK(RendezvousClient(rank0.info(), 1).run(seconds(10)).text == shared_text);
    flood.request_stop();
    flood.join();
    CHECK(rank0.wait().code == 0);
  }
}

TEST_CASE("rendezvous server: without descriptors rank 0 waits and does not spin") {
  const Rank0Process rank0(seconds(2), [] {
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
    ::setrlimit(RLIMIT_NOFILE, &none);
  });
  const Connection waiting = rank0.connection();
  const auto end = rank0.wait();
  CHECK(end.code == 3);
  CHECK(end.processor_seconds < 0.3);
}

TEST_CASE(
    "rendezvous server: a rank out of range, or one that has connected already, is rejected with a reason") {
  Rank0 rank0(3);
  CHECK(joined(rank0, 999) == "rank 999 is none of a job of 3 ranks");
  CHECK(joined(rank0, 0) == "rank 0 is none of a job of 3 ranks");
  CHECK(joined(rank0, -1).ends_with(" is none of a job of 3 ranks"));
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  CHECK(first.wait_for(milliseconds(200)) == std::future_status::timeout);
  const std::string again = joined(rank0, 1);
  CHECK(again.starts_with("rank 1 has come already, as process "));
  CHECK(joined(rank0, 2) == shared_text);
  CHECK(first.get() == shared_text);
  CHECK(rank0.ranks() == 2);
}

TEST_CASE("rendezvous server: a rank that closes its connection ends it, and the others get the reason") {
  Rank0 rank0(4);
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  {
    Connection gone = rank0.connection();
    ClientHandshake client(rank0.info().key, 2);
    gone.send(client.hello());
    gone.wait(seconds(1));
    gone.receive();
    gone.send(client.answer(*gone.next(), "process 7 on \33[2Jnowhere").value());
    std::this_thread::sleep_for(milliseconds(200));
  }
  const std::string why = "rank 2, process 7 on \\x1b[2Jnowhere, has gone before all ranks had come";
  CHECK_THROWS_WITH(rank0.ranks(), why.c_str());
  CHECK(first.get() == why);
}

TEST_CASE("rendezvous client: a server that sends nothing, or forges rank 0, gets no proof and little time") {
  const Key wrong = Key::random();
  std::optional<ServerHandshake> forged;
  const std::vector<std::pair<std::string, std::function<std::optional<Message>(const Message&)>>> forgers{
      {"sends nothing", {}},
      {"does not speak weft's protocol",
       [](const Message&) {
         return Message{Message::Kind::welcome, 0, std::string(Key::proof_size, 'x') + "process 1\nforged"};
       }},
      {"does not know the secret of this job", [&](const Message& message) {
         CHECK(message.kind == Message::Kind::hello);  // and never a proof
         return forged.emplace(wrong).take(message);
       }}};
  for (const auto& [reason, say] : forgers) {
    CAPTURE(reason);
    Rank0 rank0(2);
    const Forger forger(say);
    RendezvousInfo info = rank0.info();
    info.endpoints.insert(info.endpoints.begin(), forger.endpoint());
    const auto begin = Clock::now();
    CHECK(RendezvousClient(info, 1).run(seconds(10)).text == shared_text);
    CHECK(Clock::now() - begin < milliseconds(2600));
    info.endpoints.pop_back();
    CHECK_THROWS_WITH((void)RendezvousClient(info, 1).run(milliseconds(100)), Contains(reason.c_str()));
  }
}

TEST_CASE("rendezvous client: a challenge of another version is recognized") {
  const Key key = Key::random();
  ClientHandshake client(key, 1);
  ServerHandshake server(key);
  Message hello = client.hello();
  Message challenge = server.take(hello).value();
  challenge.text.front() = 2;
  CHECK_FALSE(client.answer(challenge, ""));
  CHECK(client.reason() == "is of another version of weft");
  hello.text[4] = 2;
  ServerHandshake other(key);
  CHECK(other.take(hello));
  CHECK(other.state() == ServerHandshake::State::failed);
}

TEST_CASE("rendezvous client: rank 0's text is accepted only with its proof") {
  const Key key = Key::random();
  ClientHandshake client(key, 1);
  ServerHandshake server(key);
  const Message challenge = server.take(client.hello()).value();
  CHECK_FALSE(server.take(client.answer(challenge, "process 1").value()));
  CHECK(server.state() == ServerHandshake::State::proved);
  CHECK(server.rank() == 1);
  CHECK(server.process() == "process 1");
  Message welcome = server.sealed(Message::Kind::welcome, shared_text);
  CHECK(client.opened(welcome) == shared_text);
  welcome.kind = Message::Kind::rejection;
  CHECK_FALSE(client.opened(welcome));
  welcome.kind = Message::Kind::welcome;
  welcome.text.back() ^= 1;
  CHECK_FALSE(client.opened(welcome));
}

TEST_CASE("rendezvous client: the end of rank 0 is noticed within seconds") {
  const Key key = Key::random();
  std::optional<Listener> listener(std::in_place,
                                   std::vector<weft::job::Endpoint>{{.host = "127.0.0.1", .port = 0}});
  const RendezvousInfo info{listener->endpoints(), key};
  std::jthread rank0([&] {
    Connection one;
    while (!one.is_open()) one = Connection(listener->accept());
    ServerHandshake server(key);
    while (server.state() == ServerHandshake::State::open) {
      one.receive();
      while (const auto message = one.next())
        if (const auto answer = server.take(*message)) one.send(*answer);
    }
    listener.reset();
  });
  const auto begin = Clock::now();
  CHECK_THROWS_WITH((void)RendezvousClient(info, 1).run(seconds(60)),
                    Contains("has gone before all ranks had come"));
  CHECK(Clock::now() - begin < seconds(7));
}

TEST_CASE("Listener: a Unix socket rejects processes of other users") {
  if (::geteuid() != 0) return;  // only root can become another user
  const Listener listener({{.socket = "weft-test-" + weft::job::hex(weft::job::random_bytes(8))}});
  const auto address = listener.endpoints().front().addresses().front();
  const int process = ::fork();
  if (process == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
    // The listener is another user's, so this process does not connect to it either.
    ::_exit(connected(address, seconds(1)).get() < 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(listener.accept().get() < 0);  // another user's
  const weft::Descriptor mine = connected(address, seconds(1));
  CHECK(mine.get() >= 0);
  CHECK(listener.accept().get() >= 0);
}
