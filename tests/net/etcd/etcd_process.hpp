#pragma once

#include "tests/temporary_directory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace troupe::net::test {

/// A TCP port of 127.0.0.1 that nobody uses now.
std::uint16_t free_port();

/// A real etcd of one or several members on 127.0.0.1, with data of its own, which ends with the test.
class etcd_servers {
public:
    /// `more`: further flags of all members. Fails the test when etcd is not installed or does not start.
    explicit etcd_servers(std::size_t members = 1, std::vector<std::string> more = {}, bool tls = false);
    ~etcd_servers();
    etcd_servers(const etcd_servers&) = delete;
    etcd_servers& operator=(const etcd_servers&) = delete;

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] std::string endpoint(std::size_t member = 0) const;
    [[nodiscard]] std::vector<std::string> endpoints() const;
    [[nodiscard]] std::uint16_t client_port(std::size_t member) const { return members_[member].client_port; }

    void start(std::size_t member);
    /// SIGKILL, and waits for its end.
    void kill(std::size_t member);
    /// SIGSTOP, and waits until all of it stands still.
    void freeze(std::size_t member);
    void thaw(std::size_t member);
    /// Until a member serves, with a quorum.
    void wait_until_well(std::size_t member) const;
    /// The member that leads now, asked of `from`.
    [[nodiscard]] std::size_t leader(std::size_t from = 0) const;

    /// One request to the gateway; the body of the answer. The test fails when the status is another.
    std::string post(std::size_t member, std::string_view path, std::string_view body, int status = 200) const;
    /// The value of "revision" in the header of an answer.
    [[nodiscard]] std::uint64_t revision(std::size_t member = 0) const;
    void compact(std::size_t member, std::uint64_t revision) const;

private:
    struct process {
        std::string name;
        std::uint16_t client_port = 0;
        std::uint16_t peer_port = 0;
        ::pid_t pid = 0;
    };
    troupe::test::temporary_directory folder_;
    std::vector<std::string> more_;
    bool tls_;
    std::vector<process> members_;
};

} // namespace troupe::net::test
