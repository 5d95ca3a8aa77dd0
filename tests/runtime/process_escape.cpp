// Ways out of the sandbox, each of which has to end for the reason that closes it.
#include "tests/runtime/process_attempts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <string_view>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

namespace {

command_result run(const workplace& w, const std::string& line) {
    auto r = w.open()->run(line, w.shell(line), {}, {});
    BOOST_REQUIRE_MESSAGE(r, r.error().detail);
    return std::move(*r);
}

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

/// The command fails and its shell gives this reason.
void fails(const workplace& w, const std::string& line, const std::string& reason) {
    const auto r = run(w, line);
    BOOST_TEST(r.exit_code != 0, line);
    BOOST_TEST(says(r.err, reason), line << ": " << r.err << r.out);
}

/// Listens at the address until it goes.
unique_fd listener(int family, const void* address, std::size_t size) {
    unique_fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_REQUIRE(::bind(fd.get(), static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0);
    BOOST_REQUIRE(::listen(fd.get(), 1) == 0);
    return fd;
}

unique_fd listener(const std::string& name, bool abstract) {
    sockaddr_un place{.sun_family = AF_UNIX, .sun_path = {}};
    name.copy(place.sun_path + (abstract ? 1 : 0), sizeof place.sun_path - 2);
    return listener(AF_UNIX, &place, offsetof(sockaddr_un, sun_path) + name.size() + 1);
}

std::uint64_t free_bytes(const fs::path& folder) {
    struct statvfs about {};
    ::statvfs(folder.c_str(), &about);
    return std::uint64_t{about.f_bavail} * about.f_frsize;
}

/// Whether it is over the bound on processes; how it is told depends on what the machine has.
bool is_bounded(const command_result& r, std::uint32_t processes) {
    if (!r.over_limit.empty()) {
        return says(r.over_limit, "processes");
    }
    std::istringstream line(r.out);
    std::uint32_t count = 0;
    std::string error;
    return line >> count >> error && count <= processes && error == "EAGAIN";
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_escape)

BOOST_AUTO_TEST_CASE(mounts_stay_as_they_are) {
    for (const auto& [kind, came] : attempt("mounts")) {
        BOOST_TEST(came == "EPERM", kind << ": " << came);
    }
    check(attempt("mount-flags"), {{"/", "nosuid,nodev,ro"},
                                   {"/usr", "nosuid,nodev,ro"},
                                   {"/project", "nosuid,nodev,rw"},
                                   {"/tmp", "nosuid,nodev,rw"},
                                   {"/dev/shm", "nosuid,nodev,rw"},
                                   {"/dev", "nosuid,nodev,ro"}});
}

BOOST_AUTO_TEST_CASE(processes_outside_are_not_there) {
    const workplace w;
    for (const auto& [kind, came] : attempt(w, "others " + std::to_string(::getpid()))) {
        BOOST_TEST(came == "ESRCH", kind << ": " << came);
    }
    // The first process of the sandbox, the stage that became the shell, and what the shell starts.
    BOOST_TEST(std::stoi(run(w, "ls -d /proc/[0-9]* | wc -l").out) <= 5);
}

BOOST_AUTO_TEST_CASE(the_files_of_processes_lead_nowhere) {
    const workplace w;
    ::setenv("TROUPE_TEST_SECRET", "leaked", 1);
    std::ofstream(w.root / "secret") << "leaked";
    const auto secret = (w.root / "secret").string();
    const auto r = run(w, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/root" + secret +
                              " /proc/[0-9]*/cwd/../secret" + secret);
    BOOST_TEST(!says(r.out, "leaked"));
    BOOST_TEST(says(r.out, "HOME=/tmp"));
    fails(w, "cat /proc/self/root" + secret, "No such file");
    fails(w, "cat /proc/1/root" + secret, "No such file");
}

BOOST_AUTO_TEST_CASE(settings_of_the_kernel_are_read_only) {
    const workplace w;
    // Opened for writing, and nothing is written: what fails here would change the machine.
    for (const char* file : {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
                             "/proc/self/oom_score_adj"}) {
        // Who is not root has no right to most of them in the first place.
        const bool own = ::getuid() == 0 || std::string_view(file).starts_with("/proc/self");
        fails(w, std::string("true >> ") + file, own ? "Read-only file system" : "Permission denied");
    }
    BOOST_TEST(run(w, "find /proc -maxdepth 3 -path '/proc/[0-9]*' -prune -o -path /proc/self -prune -o -path "
                      "/proc/thread-self -prune -o -type f -writable -print")
                   .out == "");
    fails(w, "ls /sys/kernel", "No such file");
}

BOOST_AUTO_TEST_CASE(a_command_that_kills_all_it_can_ends_itself_only) {
    const workplace w;
    const auto r = run(w, "sleep 1000 & kill -9 1 $PPID; kill -9 -1; wait; echo still here");
    BOOST_TEST(!r.timed_out);
    BOOST_TEST(r.out == "still here\n");
}

BOOST_AUTO_TEST_CASE(links_and_dots_do_not_lead_out_of_the_project) {
    const workplace w;
    const auto secret = (w.root / "secret").string();
    std::ofstream(secret) << "leaked";
    fs::create_symlink(secret, w.project / "link");
    fs::create_symlink(w.root / "new", w.project / "link-new");
    fs::create_symlink("../secret", w.project / "up");
    fs::create_directory_symlink(w.root, w.project / "folder");
    for (const char* path : {"link", "up", "folder/secret", "../secret", "../../../../../secret"}) {
        fails(w, std::string("cat ") + path, "No such file");
    }
    fails(w, "cat " + secret, "No such file");
    for (const char* path : {"link-new", "folder/new", "../new", "/usr/new", "/etc/passwd"}) {
        const auto r = run(w, std::string("echo x > ") + path);
        BOOST_TEST((says(r.err, "nonexistent") || says(r.err, "No such file") || says(r.err, "Read-only file system")),
                   path << ": " << r.err);
    }
    BOOST_TEST(!fs::exists(w.root / "new"));
    fails(w, "ln /usr/bin/env taken", "Invalid cross-device link");
    BOOST_TEST(!w.has("taken"));
}

BOOST_AUTO_TEST_CASE(no_program_gains_rights) {
    const workplace w;
    const auto r =
        run(w, "grep -E '^(NoNewPrivs|Cap(Prm|Eff|Bnd|Amb)):' /proc/self/status | sort | tr -s '\\t\\n' '  '");
    BOOST_TEST(r.out == "CapAmb: 0000000000000000 CapBnd: 0000000000000000 CapEff: 0000000000000000 "
                        "CapPrm: 0000000000000000 NoNewPrivs: 1 ");
    if (::getuid() == 0) { // A program that belongs to somebody else, with the bit that makes its user theirs.
        fs::copy_file("/usr/bin/id", w.project / "id");
        BOOST_REQUIRE(::chown((w.project / "id").c_str(), 65534, 65534) == 0);
        BOOST_REQUIRE(::chmod((w.project / "id").c_str(), 04755) == 0);
        BOOST_TEST(run(w, "./id -u").out == run(w, "id -u").out);
    }
}

BOOST_AUTO_TEST_CASE(devices_are_neither_made_nor_used) {
    const workplace w;
    const bool root = ::getuid() == 0 && ::mknod((w.project / "device").c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0;
    auto came = attempt(w, "devices");
    BOOST_TEST(came["found"] == (root ? "EACCES" : "ENOENT"));
    BOOST_TEST(came["memory"] == "EPERM");
    BOOST_TEST(came["disk"] == "EPERM");
}

BOOST_AUTO_TEST_CASE(listeners_outside_are_not_reached) {
    const workplace w;
    sockaddr_in local{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const auto tcp = listener(AF_INET, &local, sizeof local);
    socklen_t size = sizeof local;
    ::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&local), &size);
    const auto name = "troupe-test-" + std::to_string(::getpid());
    const auto path = (w.root / "s").string();
    const auto abstract = listener(name, true), file = listener(path, false);
    check(
        attempt(w, "connections " + std::to_string(ntohs(local.sin_port)) + " " + name + " " + path),
        {{"loopback", "ECONNREFUSED"}, {"internet", "ENETUNREACH"}, {"abstract", "ECONNREFUSED"}, {"path", "ENOENT"}});
    fails(w, "ls /run/docker.sock /var/run/docker.sock /run/dbus", "No such file");
    BOOST_TEST(run(w, "ls /run").out == "troupe-runner\n");
}

BOOST_AUTO_TEST_CASE(the_runner_and_its_files_are_out_of_reach) {
    const workplace w;
    fails(w, "ls " + w.state.string(), "No such file");
    fails(w, "echo x > /run/troupe-runner", "Read-only file system");
    fails(w, "rm /run/troupe-runner", "Read-only file system");
    // Neither the pipe on which the runner hears that the command starts, nor those to the node, nor files of the node.
    fs::copy_file(attempts_path(), w.project / "attempts");
    const unique_fd open_here(::open(w.root.c_str(), O_RDONLY)); // without O_CLOEXEC
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const auto r =
            w.open(mode)->run(std::to_string(static_cast<int>(mode)), w.shell("./attempts descriptors"), {}, {});
        BOOST_REQUIRE(r);
        BOOST_TEST(r->out == "0 open\n1 open\n2 open\n");
    }
}

BOOST_AUTO_TEST_CASE(data_of_the_node_in_the_project_are_covered) {
    const workplace w;
    fs::create_directory(w.project / ".troupe");
    w.write(".troupe/admin.key", "leaked");
    fails(w, "cat .troupe/admin.key", "No such file");
    BOOST_TEST(run(w, "ls -A .troupe").out.empty());
    fails(w, "echo x > .troupe/new", "Read-only file system");
    fails(w, "mv .troupe away", "busy");
    fails(w, "rm -r .troupe", "busy");
    BOOST_TEST(w.read(".troupe/admin.key") == "leaked");
}

BOOST_AUTO_TEST_CASE(signals_that_are_ignored_do_not_stop_the_end) {
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const workplace w;
        auto spec = w.shell("trap '' TERM INT HUP QUIT; touch begun; while :; do sleep 1000; done");
        spec.limits.time_ms = 1'000;
        const auto r = w.open(mode)->run("key", spec, {}, {});
        BOOST_REQUIRE(r);
        BOOST_TEST(r->timed_out);
        BOOST_TEST(r->exit_code == 128 + SIGKILL);
        BOOST_TEST(w.has("begun"));
    }
}

BOOST_AUTO_TEST_CASE(a_flood_on_both_streams_is_kept_in_its_limit) {
    const workplace w;
    auto spec = w.shell("yes & yes >&2 & wait");
    spec.limits.time_ms = 500;
    spec.limits.output_bytes = 10'000;
    const auto r = w.open()->run("key", spec, {}, {});
    BOOST_REQUIRE(r);
    BOOST_TEST(r->timed_out);
    for (const auto* stream : {&r->out, &r->err}) {
        BOOST_TEST(stream->size() > 9'000u);
        BOOST_TEST(stream->size() < 11'000u);
    }
}

BOOST_AUTO_TEST_CASE(folders_in_memory_are_bounded) {
    const workplace w;
    auto spec = w.shell("for f in /dev/shm /tmp; do head -c 40M /dev/zero > $f/big; wc -c < $f/big; rm $f/big; done; "
                        "touch /dev/new");
    spec.limits.memory_bytes = 64 << 20;
    const auto r = w.open()->run("key", spec, {}, {});
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out == std::to_string(16 << 20) + "\n" + std::to_string(32 << 20) + "\n");
    BOOST_TEST(says(r->err, "No space left on device"));
    BOOST_TEST(says(r->err, "Read-only file system"));
}

BOOST_AUTO_TEST_CASE(a_command_that_fills_the_disk_is_ended_and_told_why) {
    const fs::path memory = "/dev/shm"; // a disk on which nobody else writes much
    if (free_bytes(memory) < 256 << 20) {
        BOOST_TEST_MESSAGE("skipped: /dev/shm has no room");
        return;
    }
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        workplace w(memory);
        auto spec = w.shell("while :; do head -c 1M /dev/zero >> big; sleep 0.01; done");
        spec.limits.free_bytes_min = free_bytes(memory) - (32 << 20);
        const auto r = w.open(mode)->run("key", spec, {}, {});
        BOOST_REQUIRE(r);
        BOOST_TEST(says(r->over_limit, "disk"), r->over_limit);
        BOOST_TEST(!r->timed_out);
        BOOST_TEST(r->exit_code == 128 + SIGKILL);
        BOOST_TEST(w.open(mode)->result_of("key").value().over_limit == r->over_limit);
    }
}

BOOST_AUTO_TEST_CASE(a_fork_bomb_is_bounded) {
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const workplace w;
        fs::copy_file(attempts_path(), w.project / "attempts");
        auto spec = w.shell("./attempts fork-bomb");
        spec.limits.processes = 60;
        const auto r = w.open(mode)->run("key", spec, {}, {});
        BOOST_REQUIRE(r);
        BOOST_TEST(is_bounded(*r, spec.limits.processes), r->out << r->over_limit);
        BOOST_TEST(!r->timed_out);
    }
}

BOOST_AUTO_TEST_CASE(a_fork_bomb_of_root_is_bounded_without_control_groups) {
    if (::getuid() != 0) {
        BOOST_TEST_MESSAGE("skipped: only root can hide control groups");
        return;
    }
    const workplace w;
    fs::copy_file(attempts_path(), w.project / "attempts");
    auto spec = w.shell("./attempts fork-bomb");
    spec.limits.processes = 60;
    const auto apart = ::fork(); // for mounts of its own
    if (apart == 0) {
        const bool hidden = ::unshare(CLONE_NEWNS) == 0 &&
                            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr) == 0;
        ::_exit(hidden && w.open()->run("key", spec, {}, {}) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(apart, &status, 0);
    BOOST_REQUIRE(status == 0);
    const auto r = w.open()->result_of("key");
    BOOST_REQUIRE(r);
    BOOST_TEST(says(r->over_limit, "60 processes"), r->out << r->over_limit);
    BOOST_TEST(r->exit_code == 128 + SIGKILL);
}

BOOST_AUTO_TEST_SUITE_END()
