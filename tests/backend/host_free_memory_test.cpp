#include "weft/backend/host/free_memory.hpp"

#include <doctest/doctest.h>

#include "../io/temporary_folder.hpp"

namespace {

constexpr double mib = 1 << 20;

/// The files of a Linux host with 1000 MiB available.
struct LinuxHost {
  TemporaryFolder folder;

  LinuxHost() {
    std::filesystem::create_directories(folder / "proc/self");
    write("proc/meminfo", "MemTotal:  4096000 kB\nMemFree:  20480 kB\nMemAvailable:  1024000 kB\n");
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder / name).parent_path());
    folder.write(name, std::string_view(text));
  }
  void write(const std::string& name, double bytes) const {
    write(name, std::to_string(static_cast<long long>(bytes)) + "\n");
  }

  double free() const { return weft::host::free_host_memory({folder / "proc", folder / "cgroup"}) / mib; }
};

}  // namespace

TEST_CASE("without limits the host's memory is free") {
  const LinuxHost host;
  CHECK(host.free() == 1000);
  host.write("proc/self/cgroup", "0::/\n");
  CHECK(host.free() == 1000);
}

TEST_CASE("cgroup v2: a group and those above it limit what is free, caches left aside") {
  const LinuxHost host;
  host.write("proc/self/cgroup", "0::/system/job\n");
  host.write("cgroup/system/job/memory.max", "max\n");
  host.write("cgroup/system/job/memory.current", 100 * mib);
  CHECK(host.free() == 1000);
  host.write("cgroup/system/memory.max", 400 * mib);
  host.write("cgroup/system/memory.current", 150 * mib);
  CHECK(host.free() == 250);
  host.write("cgroup/system/memory.stat", "anon 1\ninactive_file " + std::to_string(50 << 20) + "\n");
  CHECK(host.free() == 300);
  host.write("cgroup/system/job/memory.max", 120 * mib);
  CHECK(host.free() == 20);
}

TEST_CASE("cgroup v2: a container sees its own group as the root") {
  const LinuxHost host;
  host.write("proc/self/cgroup", "0::/docker/0123\n");
  host.write("cgroup/memory.max", 64 * mib);
  host.write("cgroup/memory.current", 80 * mib);
  CHECK(host.free() == 0);
}

TEST_CASE("cgroup v1: the memory controller's group limits what is free") {
  const LinuxHost host;
  host.write("proc/self/cgroup", "12:cpu,cpuacct:/job\n7:memory:/job\n1:name=systemd:/job\n0::/job\n");
  host.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  host.write("cgroup/memory/memory.usage_in_bytes", 900 * mib);
  CHECK(host.free() == 1000);
  host.write("cgroup/memory/job/memory.limit_in_bytes", 200 * mib);
  host.write("cgroup/memory/job/memory.usage_in_bytes", 60 * mib);
  host.write("cgroup/memory/job/memory.stat",
             "cache 5\ntotal_inactive_file " + std::to_string(10 << 20) + "\n");
  CHECK(host.free() == 150);
}
