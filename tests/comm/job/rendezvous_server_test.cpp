// Whoever is not of a job gets nothing from it, and costs it nothing.
#include "weft/comm/job/roll_call.hpp"

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

#include "weft/comm/job/answer.hpp"
#include "weft/comm/job/rendezvous.hpp"

using doctest::Contains;
using std::chrono::milliseconds;
using std::chrono::seconds;
using weft::job::Admission;
using weft::job::Answer;
using weft::job::Connection;
using weft::job::frame_of;
using weft::job::Introduction;
using weft::job::Key;
using weft::job::Listener;
using weft::job::Meeting;
using weft::job::Member;
using weft::job::Message;
using weft::job::RollCall;
using Clock = std::chrono::steady_clock;

namespace {

const std::string text = "what only ranks may know";

/// Rank 0 of a job, at work on a thread.
class Rank0 {
 public:
  explicit Rank0(int ranks, milliseconds patience = seconds(10)) {
    result_ = std::async(std::launch::async, [this, ranks, patience] {
      return RollCall(listener_, meeting_.key, ranks, text).run(patience).size();
    });
  }

  const Meeting& meeting() const { return meeting_; }

  /// A connection from a process of which rank 0 knows nothing.
  Connection connection() const {
    return Connection(connected(meeting_.places.front().addresses().front(), seconds(1)));
  }

  /// How many ranks came; throws what rank 0 threw.
  std::size_t ranks() { return result_.get(); }

 private:
  Listener listener_{{{.host = "127.0.0.1", .port = 0}}};
  Meeting meeting_{listener_.places(), Key::random()};
  std::future<std::size_t> result_;
};

std::string joined(const Rank0& rank0, int rank) {
  try {
    return Answer(rank0.meeting(), rank).run(seconds(5)).text;
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// All messages that come until the other side closes, or a second has passed.
std::vector<Message> heard(Connection& connection) {
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

/// What a server says, and then is silent, at an address of its own.
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

  const weft::job::Place& place() const { return listener_.places().front(); }

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

/// Of the process.
std::ptrdiff_t open_descriptors(int process) {
  return std::distance(std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd"),
                       std::filesystem::directory_iterator());
}

/// Rank 0 of a job of two, in a process of its own; `code` is 0 when rank 1 has come.
class Rank0Process {
 public:
  explicit Rank0Process(milliseconds patience, const std::function<void()>& prepare = {})
      : process_(::fork()) {
    if (process_ != 0) return;
    if (prepare) prepare();
    try {
      RollCall(listener_, meeting_.key, 2, text).run(patience);
      ::_exit(0);
    } catch (const std::exception&) {
      ::_exit(3);
    }
  }

  int process() const { return process_; }
  const Meeting& meeting() const { return meeting_; }
  Connection connection() const {
    return Connection(connected(meeting_.places.front().addresses().front(), seconds(1)));
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
  Meeting meeting_{listener_.places(), Key::random()};
  int process_;
};

}  // namespace

TEST_CASE("roll call: all that know the key are welcome, and nobody before all have come") {
  Rank0 rank0(3);
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  CHECK(first.wait_for(milliseconds(300)) == std::future_status::timeout);
  CHECK(joined(rank0, 2) == text);
  CHECK(first.get() == text);
  CHECK(rank0.ranks() == 2);
}

TEST_CASE("roll call: a process without the secret gets a challenge and nothing else") {
  Rank0 rank0(2);
  Connection connection = rank0.connection();
  const Key wrong = Key::random();
  Introduction introduction(wrong, 1);
  connection.send(introduction.hello());
  connection.wait(seconds(1));
  connection.receive();
  const auto challenge = connection.next();
  REQUIRE(challenge);
  CHECK(challenge->kind == Message::Kind::challenge);
  CHECK_FALSE(introduction.answer(*challenge, "process 1"));
  CHECK(introduction.reason() == "does not know the secret of this job");
  // It goes on all the same.
  connection.send({Message::Kind::proof, 0, std::string(Key::proof_size, 'x') + "process 1"});
  CHECK(heard(connection).empty());
  CHECK_FALSE(connection.is_open());
  CHECK(joined(rank0, 1) == text);
  CHECK(rank0.ranks() == 1);
}

TEST_CASE("roll call: a hello and a proof that were overheard are worth nothing again") {
  Rank0 rank0(2);
  const Meeting& meeting = rank0.meeting();
  Connection honest = rank0.connection();
  Introduction introduction(meeting.key, 1);
  const Message hello = introduction.hello();
  honest.send(hello);
  honest.wait(seconds(1));
  honest.receive();
  const Message proof = introduction.answer(*honest.next(), "process 1").value();
  Connection replay = rank0.connection();
  replay.send(hello);
  replay.send(proof);
  const auto got = heard(replay);
  REQUIRE(got.size() == 1);
  CHECK(got.front().kind == Message::Kind::challenge);
  CHECK_FALSE(replay.is_open());
  CHECK(joined(rank0, 1) == text);
}

TEST_CASE("roll call: a silent connection is closed after a second, and one that trickles too") {
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
  CHECK(heard(silent).empty());
  CHECK_FALSE(silent.is_open());
  CHECK(Clock::now() - begin > milliseconds(800));
  CHECK(Clock::now() - begin < milliseconds(2000));
  trickle.request_stop();
  trickle.join();
  heard(trickling);
  CHECK_FALSE(trickling.is_open());
  CHECK(joined(rank0, 1) == text);
}

TEST_CASE("roll call: a flood of bytes costs no memory, and of connections no rank its place") {
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
    CHECK(Answer(rank0.meeting(), 1).run(seconds(10)).text == text);
    flood.request_stop();
    flood.join();
    CHECK(rank0.wait().code == 0);
  }
}

TEST_CASE("roll call: without descriptors rank 0 waits and does not spin") {
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
    "roll call: a rank that is none of the job's, or has come already, is told so and changes nothing") {
  Rank0 rank0(3);
  CHECK(joined(rank0, 999) == "rank 999 is none of a job of 3 ranks");
  CHECK(joined(rank0, 0) == "rank 0 is none of a job of 3 ranks");
  CHECK(joined(rank0, -1).ends_with(" is none of a job of 3 ranks"));
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  CHECK(first.wait_for(milliseconds(200)) == std::future_status::timeout);
  const std::string again = joined(rank0, 1);
  CHECK(again.starts_with("rank 1 has come already, as process "));
  CHECK(joined(rank0, 2) == text);
  CHECK(first.get() == text);
  CHECK(rank0.ranks() == 2);
}

TEST_CASE("roll call: a rank that goes again ends it, and the others hear why") {
  Rank0 rank0(4);
  auto first = std::async(std::launch::async, [&] { return joined(rank0, 1); });
  {
    Connection gone = rank0.connection();
    Introduction introduction(rank0.meeting().key, 2);
    gone.send(introduction.hello());
    gone.wait(seconds(1));
    gone.receive();
    gone.send(introduction.answer(*gone.next(), "process 7 on \33[2Jnowhere").value());
    std::this_thread::sleep_for(milliseconds(200));
  }
  const std::string why = "rank 2, process 7 on \\x1b[2Jnowhere, has gone before all ranks had come";
  CHECK_THROWS_WITH(rank0.ranks(), why.c_str());
  CHECK(first.get() == why);
}

TEST_CASE("answer: a server that says nothing, or forges rank 0, costs its time and gets no proof") {
  const Key wrong = Key::random();
  std::optional<Admission> forged;
  const std::vector<std::pair<std::string, std::function<std::optional<Message>(const Message&)>>> forgers{
      {"says nothing", {}},
      {"does not speak weft's language",
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
    Meeting meeting = rank0.meeting();
    meeting.places.insert(meeting.places.begin(), forger.place());
    const auto begin = Clock::now();
    CHECK(Answer(meeting, 1).run(seconds(10)).text == text);
    CHECK(Clock::now() - begin < milliseconds(2600));
    meeting.places.pop_back();
    CHECK_THROWS_WITH(Answer(meeting, 1).run(milliseconds(100)), Contains(reason.c_str()));
  }
}

TEST_CASE("answer: a challenge of another version is told for one") {
  const Key key = Key::random();
  Introduction introduction(key, 1);
  Admission admission(key);
  Message hello = introduction.hello();
  Message challenge = admission.take(hello).value();
  challenge.text.front() = 2;
  CHECK_FALSE(introduction.answer(challenge, ""));
  CHECK(introduction.reason() == "is of another version of weft");
  hello.text[4] = 2;
  Admission other(key);
  CHECK(other.take(hello));
  CHECK(other.state() == Admission::State::failed);
}

TEST_CASE("answer: what rank 0 gives is believed with its proof alone") {
  const Key key = Key::random();
  Introduction introduction(key, 1);
  Admission admission(key);
  const Message challenge = admission.take(introduction.hello()).value();
  CHECK_FALSE(admission.take(introduction.answer(challenge, "process 1").value()));
  CHECK(admission.state() == Admission::State::proved);
  CHECK(admission.rank() == 1);
  CHECK(admission.process() == "process 1");
  Message welcome = admission.sealed(Message::Kind::welcome, text);
  CHECK(introduction.opened(welcome) == text);
  welcome.kind = Message::Kind::rejection;
  CHECK_FALSE(introduction.opened(welcome));
  welcome.kind = Message::Kind::welcome;
  welcome.text.back() ^= 1;
  CHECK_FALSE(introduction.opened(welcome));
}

TEST_CASE("answer: a rank 0 that goes is missed soon") {
  const Key key = Key::random();
  std::optional<Listener> listener(std::in_place,
                                   std::vector<weft::job::Place>{{.host = "127.0.0.1", .port = 0}});
  const Meeting meeting{listener->places(), key};
  std::jthread rank0([&] {
    Connection one;
    while (!one.is_open()) one = Connection(listener->accept());
    Admission admission(key);
    while (admission.state() == Admission::State::open) {
      one.receive();
      while (const auto message = one.next())
        if (const auto answer = admission.take(*message)) one.send(*answer);
    }
    listener.reset();
  });
  const auto begin = Clock::now();
  CHECK_THROWS_WITH(Answer(meeting, 1).run(seconds(60)), Contains("has gone before all ranks had come"));
  CHECK(Clock::now() - begin < seconds(7));
}

TEST_CASE("Listener: over a Unix socket, processes of other users are turned away") {
  if (::geteuid() != 0) return;  // to become another
  const Listener listener({{.socket = "weft-test-" + weft::job::hex(weft::job::random_bytes(8))}});
  const auto address = listener.places().front().addresses().front();
  const int process = ::fork();
  if (process == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
    // Rank 0 runs for another user, so this one does not take it for rank 0 either.
    ::_exit(connected(address, seconds(1)).get() < 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(listener.accept().get() < 0);  // closed by now, and of another user
  const weft::Descriptor mine = connected(address, seconds(1));
  CHECK(mine.get() >= 0);
  CHECK(listener.accept().get() >= 0);
}
