#include "bin/runner/confinement.hpp"

#include "bin/runner/confined_stage.hpp"
#include "bin/runner/proxy.hpp"
#include "schemas/base/limits.hpp"

#include <algorithm>
#include <filesystem>

namespace troupe::runner {

namespace fs = std::filesystem;

namespace {

constexpr const char* inner_project = "/project";
constexpr const char* inner_runner = "/run/troupe-runner";

/// What programs need of /etc. Keys and passwords (/etc/shadow, /etc/ssl/private) stay outside, also from root.
constexpr const char* etc_files[] = {
    "/etc/ld.so.cache",     "/etc/ld.so.conf",    "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust", "/etc/passwd",       "/etc/group",
    "/etc/nsswitch.conf",   "/etc/localtime",     "/etc/mime.types",
};
constexpr const char* etc_files_for_network[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/services", "/etc/protocols"};

void add(std::vector<std::string>& to, std::initializer_list<std::string> words) { to.insert(to.end(), words); }

void add_system(std::vector<std::string>& to, bool network) {
    add(to, {"--ro-bind", "/usr", "/usr"});
    for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
        std::error_code missing;
        if (fs::is_symlink(name, missing)) {
            add(to, {"--symlink", fs::read_symlink(name, missing).string(), name});
        } else if (fs::is_directory(name, missing)) {
            add(to, {"--ro-bind", name, name});
        }
    }
    for (const char* name : etc_files) {
        add(to, {"--ro-bind-try", name, name});
    }
    if (!network) { // Tests of agents start servers, and ask for localhost.
        add(to, {"--ro-bind-data", std::to_string(names_fd), "/etc/hosts"});
        return;
    }
    for (const char* name : etc_files_for_network) {
        add(to, {"--ro-bind-try", name, name});
    }
}

/// Together below the limit of memory, so that a program that fills them is told so before it is ended for its memory.
/// /dev itself would have half of the machine's.
void add_memory_folders(std::vector<std::string>& to, std::uint64_t memory_bytes) {
    const auto part = [&](std::uint64_t divisor) {
        return std::to_string(std::max<std::uint64_t>(1, memory_bytes / divisor));
    };
    add(to, {"--size", part(4), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"});
    add(to, {"--size", part(2), "--tmpfs", "/tmp"});
}

/// The data of a node that lies in the project, keys among it, is covered by an empty folder.
void add_node_data_cover(std::vector<std::string>& to, const fs::path& project) {
    std::error_code missing;
    if (fs::is_directory(fs::symlink_status(project / limits::node_data_name, missing))) {
        const auto inner = inner_project + (std::string("/") + limits::node_data_name);
        add(to, {"--size", "4096", "--tmpfs", inner, "--remount-ro", inner});
    }
}

/// Servers of the sandbox itself are reached without the proxy, unless the list means those of the machine.
void add_proxy(std::map<std::string, std::string>& environment, const std::vector<std::string>& hosts) {
    std::string own;
    for (const std::string name : {"localhost", "127.0.0.1", "::1"}) {
        const bool meant = std::any_of(hosts.begin(), hosts.end(),
                                       [&](const std::string& host) { return host.find(name) != std::string::npos; });
        if (!meant) {
            own += (own.empty() ? "" : ",") + name;
        }
    }
    const auto address = "http://127.0.0.1:" + std::to_string(proxy_port);
    for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}) {
        environment[name] = address;
    }
    environment["NO_PROXY"] = environment["no_proxy"] = own;
}

} // namespace

bool has_proxy(const runtime::runner_spec& spec) {
    return spec.mode == runtime::sandbox_mode::bubblewrap && !spec.network && !spec.hosts.empty();
}

std::vector<std::string> confined_arguments(const runtime::runner_spec& spec, const std::string& self) {
    std::vector<std::string> all;
    const bool wrapped = spec.mode == runtime::sandbox_mode::bubblewrap;
    if (wrapped) {
        add(all,
            {"bwrap", "--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session"});
        add(all, {"--cap-drop", "ALL", "--hostname", "troupe", "--seccomp", std::to_string(filter_fd)});
        if (spec.network) {
            add(all, {"--share-net"});
        }
        add_system(all, spec.network);
        // All of /proc read-only: bubblewrap leaves /proc/sys to root, who could set there what the machine runs on a
        // crash.
        add(all, {"--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"});
        add_memory_folders(all, spec.limits.memory_bytes);
        add(all, {"--ro-bind", self, inner_runner});
        add(all, {"--bind", spec.project, inner_project});
        add_node_data_cover(all, spec.project);
        add(all, {"--remount-ro", "/", "--chdir"});
        add(all,
            {spec.working_directory.empty() ? inner_project : inner_project + ("/" + spec.working_directory), "--"});
    }
    add(all,
        {wrapped ? inner_runner : self, wrapped ? stage_word::confined : stage_word::limited,
         std::to_string(spec.limits.file_bytes), std::to_string(spec.limits.processes), has_proxy(spec) ? "1" : "0"});
    all.insert(all.end(), spec.argv.begin(), spec.argv.end());
    return all;
}

std::vector<std::string> command_environment(const runtime::runner_spec& spec) {
    std::map<std::string, std::string> all = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                              {"HOME", "/tmp"},
                                              {"LANG", "C.UTF-8"}};
    if (has_proxy(spec)) {
        add_proxy(all, spec.hosts);
    }
    for (const auto& [name, value] : spec.environment) {
        all[name] = value;
    }
    std::vector<std::string> words;
    for (const auto& [name, value] : all) {
        words.push_back(name + "=" + value);
    }
    return words;
}

} // namespace troupe::runner
